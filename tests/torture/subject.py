"""What is put to the torture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acuse.domain.record import Key


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the subject has of one request in the end. `endings`: how often an ending of it was recorded.

    `amiss`: what is wrong with its parts.
    """

    members: dict[str, object]
    status: str
    result: object = None
    created_at: str | None = None
    endings: int
    amiss: tuple[str, ...] = ()


class Subject(Protocol):
    """A service in processes of its own, that can be killed and read."""

    @property
    def url(self) -> str:
        """Where to POST; the same after a restart."""

    def targets(self) -> Mapping[str, list[int]]:
        """Kind of process (api, worker, runner) → the process ids of those that live now."""

    def restart(self) -> None:
        """Every process was killed with SIGKILL, and the service started again."""

    def leased(self) -> list[Key]:
        """What is being run now, as far as it can be told: what a recovery is measured by."""

    def endings(self) -> Mapping[Key, list[float]]:
        """When each ending was recorded, in seconds since 1970, as far as it can be told."""

    def waiting(self) -> int:
        """How many have not ended."""

    def kept(self) -> Mapping[str, Kept]:
        """All that it has, by id."""

    def damage(self) -> list[str]:
        """What is wrong with its data as a whole."""

    def runs(self) -> Mapping[Key, int]:
        """How often each was begun."""
