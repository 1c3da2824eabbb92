"""Where one way of paying becomes cheaper than another, found by halving on the bills themselves."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from infra.costs.bill import Side
from infra.costs.functions import LONGEST
from infra.costs.workload import MAX_RATE, Capacity
from infra.deployment import Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.costs.profiles import Terms
    from infra.costs.workload import Workload

POINTS = 200
"""Where the difference is looked at, evenly on a logarithmic scale. Between two it is taken to turn at most once."""
STEPS = 50
LOWEST_RATE, SHORTEST_RUN, LOWEST_SHARE = 0.001, 0.001, 0.01
RATE, RUN, SHARE = "requests/s", "s a run", "of what is provisioned"
INTAKE = (Side.INTAKE, Side.NETWORK)
WORKERS = (Side.WORKERS, Side.NETWORK)


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """`below` is the cheaper one from `low` to `at`, `above` from there; `at` None: `below` is, up to `high`.

    `more`: where it turns again.
    """

    what: str
    unit: str
    low: float
    high: float
    below: str
    above: str
    at: float | None = None
    more: tuple[float, ...] = ()


def crossings(workload: Workload, terms: Terms) -> list[Crossing]:
    """All that are of interest for the workload. Raises Unfit where a function cannot do it."""
    seconds, rate = workload.run_seconds, workload.requests_per_second

    def profiles(
        what: str, unit: str, low: float, high: float, at: Callable[[float], Workload], *sides: Side
    ) -> Crossing:
        def usd(profile: Profile, place: float) -> float:
            return terms.bill(profile, at(place)).of(*sides)

        return crossing(
            what,
            unit,
            low,
            high,
            (Profile.LAMBDA, lambda x: usd(Profile.LAMBDA, x)),
            (Profile.FARGATE, lambda x: usd(Profile.FARGATE, x)),
        )

    return [
        profiles("everything", RATE, LOWEST_RATE, MAX_RATE, workload.at, *Side),
        profiles("intake and network", RATE, LOWEST_RATE, MAX_RATE, workload.at, *INTAKE),
        profiles(f"workers and network, at {seconds:g} s a run", RATE, LOWEST_RATE, MAX_RATE, workload.at, *WORKERS),
        profiles(
            f"workers and network, at {rate:g} requests/s", RUN, SHORTEST_RUN, LONGEST, workload.lasting, *WORKERS
        ),
        *capacities(workload, terms),
    ]


def capacities(workload: Workload, terms: Terms) -> list[Crossing]:
    """On-demand and provisioned: by the use of the capacity, and for a table provisioned for this workload's peak."""
    peak = workload.requests_per_second / workload.utilisation

    def usd(capacity: Capacity, rate: float, share: float) -> float:
        changed = msgspec.structs.replace(workload, requests_per_second=rate, capacity=capacity, utilisation=share)
        return terms.bill(Profile.FARGATE, changed).of(Side.STORE)

    def by(what: str, unit: str, low: float, high: float, at: Callable[[float], tuple[float, float]]) -> Crossing:
        return crossing(
            what,
            unit,
            low,
            high,
            (Capacity.ON_DEMAND, lambda x: usd(Capacity.ON_DEMAND, *at(x))),
            (Capacity.PROVISIONED, lambda x: usd(Capacity.PROVISIONED, *at(x))),
        )

    rate = workload.requests_per_second
    return [
        by("table", SHARE, LOWEST_SHARE, 1.0, lambda share: (rate, share)),
        by(f"table provisioned for {peak:,.4g} requests/s", RATE, peak / 100, peak, lambda mean: (mean, mean / peak)),
    ]


Way = tuple[str, "Callable[[float], float]"]


def crossing(what: str, unit: str, low: float, high: float, one: Way, other: Way) -> Crossing:
    """Where of the two ways, each a name and its USD at a place, another one is cheaper than at the low end."""

    def more_for_one(place: float) -> float:
        return one[1](place) - other[1](place)

    found = roots(more_for_one, low, high)
    below, above = (other[0], one[0]) if more_for_one(low) > 0 else (one[0], other[0])
    first = found[0] if found else None
    return Crossing(what=what, unit=unit, low=low, high=high, below=below, above=above, at=first, more=tuple(found[1:]))


def roots(difference: Callable[[float], float], low: float, high: float) -> list[float]:
    """Where the difference changes its sign."""
    places = [low * (high / low) ** (step / POINTS) for step in range(POINTS)] + [high]
    signs = [difference(place) > 0 for place in places]
    turns = [pair for pair, (one, other) in zip(pairwise(places), pairwise(signs), strict=True) if one != other]
    return [_root(difference, *pair) for pair in turns]


def _root(difference: Callable[[float], float], below: float, above: float) -> float:
    sign = difference(below) > 0
    for _ in range(STEPS):
        middle = math.sqrt(below * above)
        if (difference(middle) > 0) == sign:
            below = middle
        else:
            above = middle
    return math.sqrt(below * above)
