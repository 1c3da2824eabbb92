"""Report: everything that is said of a workload, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from infra.costs.assumptions import Assumptions
from infra.costs.bill import Bill, Side
from infra.costs.crossing import Crossing, capacities, crossings
from infra.costs.prices import Item, Price
from infra.costs.workload import Unfit, Workload
from infra.deployment import Profile

if TYPE_CHECKING:
    from infra.costs.profiles import Terms

RATES = (10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What one profile costs at one rate."""

    profile: Profile
    requests_per_second: float
    runs_at_once: float
    usd_a_month: float
    usd_a_million: float
    sides: dict[Side, float]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`impossible`: why a profile has no bill. `prices`: those that a bill rests on."""

    region: str
    workload: Workload
    assumptions: Assumptions
    bills: tuple[Bill, ...]
    totals: tuple[Total, ...]
    crossings: tuple[Crossing, ...]
    impossible: dict[Profile, str]
    prices: dict[Item, Price]
    unsourced: tuple[Item, ...]

    def totals_at(self, rate: float) -> list[Total]:
        """One for each profile that can do it."""
        return [total for total in self.totals if total.requests_per_second == rate]


def report(region: str, workload: Workload, terms: Terms) -> Report:
    """All of it, for the workload at its own rate and at ten times ten."""
    bills: list[Bill] = []
    totals: list[Total] = []
    impossible: dict[Profile, str] = {}
    for profile in Profile:
        try:
            bills.append(terms.bill(profile, workload))
        except Unfit as unfit:
            impossible[profile] = str(unfit)
            continue
        totals += [_total(profile, workload.at(rate), terms) for rate in sorted({*RATES, workload.requests_per_second})]
    used = {line.item for one in bills for line in one.lines}
    return Report(
        region=region,
        workload=workload,
        assumptions=terms.assumptions,
        bills=tuple(bills),
        totals=tuple(totals),
        crossings=tuple((capacities if impossible else crossings)(workload, terms)),
        impossible=impossible,
        prices={item: terms.prices[item] for item in Item if item in used},
        unsourced=tuple(item for item in Item if item in used and not terms.prices[item].basis.is_sourced),
    )


def _total(profile: Profile, workload: Workload, terms: Terms) -> Total:
    made = terms.bill(profile, workload)
    return Total(
        profile=profile,
        requests_per_second=workload.requests_per_second,
        runs_at_once=workload.requests_per_second * max(1, workload.parts) * workload.run_seconds,
        usd_a_month=made.total,
        usd_a_million=made.per_million,
        sides={side: made.of(side) for side in Side},
    )
