"""What was acknowledged, and what became of it. Pure; for one thread."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Row(NamedTuple):
    """One record as it stands. Times are microseconds since 1970."""

    status: str
    created_at: int
    finished_at: int | None


class Answer(NamedTuple):
    """What came of one HTTP request."""

    kind: str
    seconds: float
    """From when it was due."""
    accepted: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()
    """What may have been accepted, for the client did not hear of it."""
    seen: tuple[tuple[str, Row], ...] = ()
    """Records in answers to what was sent before."""
    refused: str = ""
    """Honestly, with 503."""
    wrong: str = ""


class Ledger:
    """Every acknowledged id until it has ended and, some time later, was found to have ended as before."""

    def __init__(self, keep: float) -> None:
        """`keep`: seconds for which a record must stay after its end. It is looked at once more after a third of it.

        All times are seconds since 1970.
        """
        self._keep, self._again = keep, keep / 3
        self._open: dict[str, float] = {}
        self._doubtful: dict[str, float] = {}
        self._ended: dict[str, Row] = {}
        self._turns: deque[tuple[float, str]] = deque()
        self._looked_at_again: list[str] = []
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.ended_as: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many were acknowledged and have not ended."""
        return len(self._open)

    def take(self, answers: Iterable[Answer], now: float) -> list[float]:
        """Noted. Returns how long the plain requests took, in seconds."""
        taken: list[float] = []
        for answer in answers:
            self.counts[answer.kind] += 1
            self.counts["accepted"] += len(answer.accepted)
            self.counts["refused"] += bool(answer.refused)
            self._open.update((id_, now) for id_ in answer.accepted)
            self._doubtful.update((id_, now) for id_ in answer.doubtful)
            for id_, row in answer.seen:
                if row.finished_at is not None:  # Else the answer may be older than the look that saw the end.
                    self._compare(self._ended.get(id_), id_, row)
            if answer.wrong:
                self._fault(f"{answer.kind}: {answer.wrong}")
            if answer.kind in {"single", "replay"} and not answer.wrong:
                taken.append(answer.seconds)
        return taken

    def due(self, now: float) -> list[str]:
        """The ids to look at now; `look` must follow."""
        while self._turns and self._turns[0][0] <= now:
            self._looked_at_again.append(self._turns.popleft()[1])
        return [*self._open, *self._doubtful, *self._looked_at_again]

    def look(self, found: Mapping[str, Row], now: float) -> list[float]:
        """What the store said of those that were due. Returns the seconds from created to finished of what ended."""
        for id_ in self._looked_at_again:
            self._check_again(self._ended.pop(id_), id_, found.get(id_), now)
        self._looked_at_again.clear()
        for id_, since in list(self._doubtful.items()):
            if id_ in found or now - since > self._again:
                del self._doubtful[id_]
            if id_ in found:
                self.counts["accepted, not heard"] += 1
                self._open[id_] = since
        took: list[float] = []
        for id_ in list(self._open):
            row = found.get(id_)
            if row is None:
                del self._open[id_]
                self._fault(f"lost: {id_}")
            elif row.finished_at is not None:
                del self._open[id_]
                self._ended[id_] = row
                self._turns.append((now + self._again, id_))
                self.ended_as[row.status] += 1
                took.append((row.finished_at - row.created_at) / 1e6)
        return took

    def _check_again(self, before: Row, id_: str, row: Row | None, now: float) -> None:
        if row is not None:
            self._compare(before, id_, row)
        elif now < (before.finished_at or 0) / 1e6 + self._keep:
            self._fault(f"ended, and gone before its time: {id_}")

    def _compare(self, before: Row | None, id_: str, row: Row) -> None:
        if before is not None and row != before:
            self._fault(f"ended twice: {id_} as {before} and as {row}")

    def _fault(self, fault: str) -> None:
        self.counts["faults"] += 1
        if len(self.faults) < 20:
            self.faults.append(fault)
