"""How many runs to hand out at once: as many as take about a twentieth of a second together."""

from __future__ import annotations

CHUNK_SECONDS = 0.05
MAX_CHUNK = 256
WEIGHT = 0.2


class Pace:
    """Learns how long the runs of each action take. Not for use by two threads."""

    def __init__(self) -> None:
        """Nothing is known: the first run of every action travels alone."""
        self._seconds: dict[str, float] = {}
        self._limit = 1
        self._chunk: list[float] = []

    @property
    def limit(self) -> int:
        """How many to ask the queue for."""
        return self._limit

    def observe(self, action: str, seconds: float) -> None:
        """Take one run's time into the account."""
        known = self._seconds.get(action, seconds)
        self._seconds[action] = known + WEIGHT * (seconds - known)
        self._chunk.append(seconds)

    def alone(self) -> None:
        """What is due now travels alone: ask for one next time."""
        self._limit = 0

    def finish(self) -> None:
        """What was observed since the last time was a chunk: ask for more or fewer next time, at most twice as many."""
        fitting = int(CHUNK_SECONDS * len(self._chunk) / max(sum(self._chunk), 1e-9))
        self._limit = max(1, min(fitting, 2 * self._limit, MAX_CHUNK))
        self._chunk.clear()

    def expected(self, action: str) -> float:
        """Seconds that a run of that action takes; unknown: as long as a whole chunk."""
        return self._seconds.get(action, CHUNK_SECONDS)

    def fits(self, action: str, seconds: float) -> bool:
        """Whether one more run of that action fits in a chunk that already takes so many seconds."""
        return seconds + self.expected(action) < CHUNK_SECONDS
