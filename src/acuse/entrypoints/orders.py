"""What the supervisor and its processes agree on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

DRAINING, INTAKE = 0, 1
"""Places among the pulses: whether the service is ending, and the intake's; after it come those of the workers."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is told by the one that starts it. Descriptors are inherited."""

    kind: str
    parent: int
    pulse: int
    place: int = INTAKE
    counts: int | None = None
    """The cells of the process itself."""
    listen: int | None = None
    watched: Mapping[str, int] = {}
    """Whose pulse is to be watched, and the place of each."""
    counted: Mapping[str, int] = {}
    """Whose cells are to be read."""

    def descriptors(self) -> list[int]:
        """All that the process inherits."""
        return [fd for fd in (self.pulse, self.listen, self.counts, *self.counted.values()) if fd is not None]
