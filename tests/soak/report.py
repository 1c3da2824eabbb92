"""What a run came to, in words and figures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.soak.growth import Allowance, Growth, Verdict, growth
from tests.soak.measures import MEASURES, Measure, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BROKEN, GROWING = 1, 2
LATE_SECONDS = 0.25
TOTALS = {"accepted", "accepted, not heard", "refused", "faults"}
NO_BOUND = Allowance(absolute=float("inf"))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is told at the end."""

    seconds: float
    rate: float
    seed: int
    warm_up: float
    samples: list[Sample]
    counts: dict[str, int]
    ended_as: dict[str, int]
    faults: list[str]
    not_ended: int
    left_behind: int
    purges: int
    purged: int
    late_p99: float
    drained: float

    @property
    def growths(self) -> dict[str, Growth]:
        """The verdict on each measure that is judged and was measured."""
        judged = ((one, series(self.samples, one.name, self.warm_up)) for one in MEASURES)
        return {one.name: growth(few, one.allowance) for one, few in judged if few and one.allowance}

    @property
    def growing(self) -> list[str]:
        """The measures that grow."""
        return [name for name, one in self.growths.items() if one.verdict is Verdict.GROWS]

    @property
    def is_whole(self) -> bool:
        """Whether everything accepted has ended, once, and nothing else went wrong."""
        return not (self.faults or self.not_ended or self.left_behind)

    @property
    def code(self) -> int:
        """What the process ends with."""
        return BROKEN if not self.is_whole else GROWING if self.growing else 0

    @property
    def headline(self) -> str:
        """The run in a line."""
        accepted = self.counts.get("accepted", 0) + self.counts.get("accepted, not heard", 0)
        kept = "all ended once" if self.is_whole else "NOT ALL WELL"
        growing = ", ".join(label(name) for name in self.growing)
        grown = f"GROWING: {growing}" if growing else "nothing grows"
        return f"{lasted(self.seconds)} at {self.rate:g} requests/s: {accepted:,} accepted, {kept}; {grown}"


def series(samples: Sequence[Sample], name: str, start: float = 0.0) -> list[tuple[float, float]]:
    """The values of one measure from then on."""
    return [(one.second, one.values[name]) for one in samples if one.second >= start and name in one.values]


def label(name: str) -> str:
    """How a measure is called, wherever it stands."""
    [measure] = [one for one in MEASURES if one.name == name]
    return name if measure.name == measure.label else f"{measure.label} ({measure.panel.partition(' (')[0]})"


def lasted(seconds: float) -> str:
    """The time in words."""
    return f"{seconds / 60:g} min" if seconds >= 120 else f"{seconds:g} s"


def lines(outcome: Outcome) -> Iterator[str]:
    """The table, and what is behind the verdict."""
    span = outcome.seconds - outcome.warm_up
    yield f"{'':37} {'first fifth':>12} {'last fifth':>12} {'grown':>9} {'allowed':>9}"
    growths = outcome.growths
    for measure in MEASURES:
        found = series(outcome.samples, measure.name, outcome.warm_up)
        if found:
            yield _line(measure, growths.get(measure.name) or growth(found, NO_BOUND))
    yield f"(medians after a warm-up of {outcome.warm_up:.0f} s; what grew is for the {lasted(span)} after it)"
    yield ""
    counts = outcome.counts
    yield "sent      " + ", ".join(f"{counts[kind]:,} {kind}" for kind in sorted(counts) if kind not in TOTALS)
    yield (
        f"accepted  {counts.get('accepted', 0):,}, and {counts.get('accepted, not heard', 0):,} of clients that"
        f" vanished; refused with 503: {counts.get('refused', 0):,}"
    )
    yield "ended     " + ", ".join(f"{number:,} {status}" for status, number in sorted(outcome.ended_as.items()))
    yield f"not ended {outcome.not_ended}, lost, ended twice or answered wrong {counts.get('faults', 0)}"
    yield f"purged    {outcome.purged:,} in {outcome.purges} purges"
    yield f"after it  drained in {outcome.drained:.1f} s; processes left behind: {outcome.left_behind}"
    if outcome.late_p99 > LATE_SECONDS:
        yield f"THE RATE WAS NOT KEPT: p99 of the delay until a client was free is {outcome.late_p99:.2f} s"
    yield from outcome.faults
    yield f"seed      {outcome.seed}"
    yield outcome.headline


def csv(samples: Sequence[Sample]) -> Iterator[str]:
    """The samples, a line each, below the names."""
    names = [one.name for one in MEASURES]
    yield ",".join(["second", *names])
    for one in samples:
        cells = (f"{one.values[name]:.3f}" if name in one.values else "" for name in names)
        yield ",".join([f"{one.second:.2f}", *cells])


def _line(measure: Measure, one: Growth) -> str:
    figures = f"{measure.panel:18} {measure.label:18} {one.first:12.1f} {one.last:12.1f}"
    return f"{figures} {one.grown:9.1f} {one.allowed:9.1f}  {one.verdict}" if measure.allowance else figures
