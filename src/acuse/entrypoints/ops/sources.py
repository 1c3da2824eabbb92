"""Where what the page shows comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from acuse.application.actions import Catalogue
    from acuse.config import Settings
    from acuse.ports import Clock, Keyring, Overview, Store


class Sources(Protocol):
    """What the page shows comes from here, as from bootstrap's Service. To ask for a part may open it, or raise."""

    @property
    def settings(self) -> Settings:
        """Names, keys and bounds."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def catalogue(self) -> Catalogue:
        """The actions that can be chosen."""

    @property
    def store(self) -> Store:
        """The records."""

    @property
    def overview(self) -> Overview:
        """The read side."""

    @property
    def keyring(self) -> Keyring:
        """The keys."""
