"""The bill of each profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from infra.costs import containers, functions
from infra.costs.bill import Bill, priced
from infra.deployment import Profile

if TYPE_CHECKING:
    from infra.costs.assumptions import Assumptions
    from infra.costs.prices import Prices
    from infra.costs.workload import Workload


class Terms(NamedTuple):
    """What a workload is priced under."""

    assumptions: Assumptions
    prices: Prices

    def bill(self, profile: Profile, workload: Workload) -> Bill:
        """A month of that profile. Raises Unfit where the profile cannot do it."""
        uses = (functions if profile is Profile.LAMBDA else containers).uses(workload, self.assumptions)
        return priced(profile, workload.requests, uses, self.prices)
