"""What proves who sends a request, where a key is not the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Signer(Protocol):
    """Signs what is sent; asked anew for every attempt, from any thread."""

    def signed(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers to send: those given, and the signature over them, the address and the body of that POST."""
        ...
