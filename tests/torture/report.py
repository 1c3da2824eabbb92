"""What is printed in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tests.torture import recovery
from tests.torture.audit import Findings
from tests.torture.schedule import Blow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.domain.record import Key
    from tests.torture.gremlin import Strike
    from tests.torture.ledger import Ledger

SHOWN = 5


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one run, and what was found."""

    seed: int
    seconds: float
    blows: Mapping[str, int]
    sent: int
    acknowledged: int
    endings: int
    runs: int
    repeated: int
    work: Sequence[float]
    intake: Sequence[float]
    findings: Findings
    breaches: Sequence[str]

    @property
    def kills(self) -> int:
        """Processes that were sent SIGKILL."""
        return sum(count for blow, count in self.blows.items() if blow in {Blow.KILL, Blow.RESTART})

    @property
    def all_well(self) -> bool:
        """Whether every promise was kept."""
        return self.findings.all_well and not self.breaches

    def lines(self) -> Iterator[str]:
        """One figure a line."""
        found = self.findings
        yield f"seed {self.seed}, {self.seconds:.0f} s"
        for blow, count in sorted(self.blows.items()):
            yield f"{blow + ', processes':<44}{count:>9,}"
        yield f"{'requests sent':<44}{self.sent:>9,}"
        yield f"{'acknowledged with a 2xx':<44}{self.acknowledged:>9,}"
        yield f"{'endings, of requests and parts':<44}{self.endings:>9,}"
        yield f"{'runs begun':<44}{self.runs:>9,}"
        yield f"{'of them repeated':<44}{self.repeated:>9,}"
        yield f"{'lost':<44}{len(found.lost):>9,}"
        yield f"{'there with other content':<44}{len(found.changed):>9,}"
        yield f"{'not ended':<44}{len(found.unended):>9,}"
        yield f"{'ended twice':<44}{len(found.ended_twice):>9,}"
        yield f"{'ended otherwise than foretold':<44}{len(found.ended_wrongly):>9,}"
        yield f"{'parts missing or ended twice':<44}{len(found.parts_amiss):>9,}"
        yield f"{'there, but never sent':<44}{len(found.unknown):>9,}"
        yield f"{'answers that may not be':<44}{len(self.breaches):>9,}"
        yield _times("work taken up and ended after a blow", self.work)
        yield _times("acknowledging again after a blow", self.intake)
        for name, what in [*msgspec.structs.asdict(found).items(), ("breaches", self.breaches)]:
            for one in what[:SHOWN]:
                yield f"{name}: {one}"


def _times(what: str, seconds: Sequence[float]) -> str:
    p50, p99 = recovery.percentile(seconds, 50), recovery.percentile(seconds, 99)
    return f"{what:<44}{len(seconds):>9,} times, p50 {p50:.2f} s, p99 {p99:.2f} s"


def report(
    *,
    seed: int,
    seconds: float,
    ledger: Ledger,
    strikes: Sequence[Strike],
    endings: Mapping[Key, Sequence[float]],
    runs: Mapping[Key, int],
    findings: Findings,
    breaches: Sequence[str],
) -> Report:
    """The figures of what happened."""
    blows: Counter[str] = Counter()
    for strike in strikes:
        blows[strike.fault.blow] += strike.processes
    acknowledged = ledger.acknowledged
    return Report(
        seed=seed,
        seconds=seconds,
        blows=blows,
        sent=len(ledger.sent),
        acknowledged=len(acknowledged),
        endings=sum(map(len, endings.values())),
        runs=sum(runs.values()),
        repeated=sum(count - 1 for count in runs.values()),
        work=recovery.of_work(strikes, endings),
        intake=recovery.of_intake(strikes, acknowledged.values()),
        findings=findings,
        breaches=breaches,
    )
