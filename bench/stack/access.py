"""How the service is told who sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from acuse.entrypoints.submit import aws_signer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from acuse.client import Signer

JSON, LINES = "application/json", "application/x-ndjson"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """A key, or signatures by AWS credentials, or neither."""

    key: str | None = None
    sigv4: bool = False
    region: str | None = None
    """Of the signatures; None: the one in the address, else that of every AWS tool."""

    def signer(self) -> Signer | None:
        """What signs; None if nothing does. Raises Misconfigured."""
        return aws_signer(self.region) if self.sigv4 else None

    def headers(self, url: str, kind: str) -> Callable[[bytes], Mapping[str, str]]:
        """For a body of that kind: the headers to send with it."""
        own = {"content-type": kind, "prefer": "return=minimal"}
        if self.key is not None:
            own["authorization"] = f"Bearer {self.key}"
        signer = self.signer()
        if signer is None:
            return lambda _: own
        return lambda body: signer.signed(url, own, body)
