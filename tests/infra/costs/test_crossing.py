from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from infra.costs.assumptions import Assumptions
from infra.costs.bill import Side
from infra.costs.crossing import SHARE, Crossing, crossing, crossings, roots
from infra.costs.profiles import Terms
from infra.costs.workload import Capacity, Unfit, Workload
from infra.deployment import Profile

from tests.infra.costs.loads import IRELAND, TERMS

if TYPE_CHECKING:
    from collections.abc import Callable

LOADS = [
    Workload(),
    Workload(run_seconds=0.05, requests_per_second=200),
    Workload(run_seconds=60, worker_mb=4_096),
    Workload(parts=20, run_seconds=2, capacity=Capacity.PROVISIONED),
    Workload(bulk=500, run_seconds=0.01),
]
NAMES = ("everything", "intake", "workers and network, at .* a run", "workers and network, at .* requests/s")
SIDES = (tuple(Side), (Side.INTAKE, Side.NETWORK), (Side.WORKERS, Side.NETWORK), (Side.WORKERS, Side.NETWORK))


def _cheaper(load: Workload, sides: tuple[Side, ...]) -> Profile:
    return min(Profile, key=lambda profile: TERMS.bill(profile, load).of(*sides))


@pytest.mark.parametrize("load", LOADS, ids=range(len(LOADS)))
@pytest.mark.parametrize("place", range(len(SIDES)))
def test_on_each_side_of_a_crossing_of_the_profiles_the_one_that_is_named_is_cheaper(
    load: Workload, place: int
) -> None:
    found = crossings(load, TERMS)[place]
    at: Callable[[float], Workload] = load.lasting if place == len(SIDES) - 1 else load.at
    first = found.high if found.at is None else found.at

    assert _cheaper(at(first * 0.9999), SIDES[place]) == found.below
    assert _cheaper(at(found.low), SIDES[place]) == found.below
    if found.at is not None:
        assert _cheaper(at(found.at * 1.0001), SIDES[place]) == found.above
        assert found.above != found.below


def test_by_default_each_crossing_is_within_its_range() -> None:
    found = crossings(Workload(), TERMS)

    assert [one.at is not None for one in found] == [True] * 6
    assert all(one.low < (one.at or 0) < one.high for one in found)
    assert not any(one.more for one in found)


def test_provisioned_capacity_is_cheaper_from_twenty_nine_percent_of_its_use_on() -> None:
    found = next(one for one in crossings(Workload(), TERMS) if one.unit == SHARE)

    assert (found.below, found.above) == (Capacity.ON_DEMAND, Capacity.PROVISIONED)
    assert found.at == pytest.approx(0.000735 / 3_600 / 0.705e-6, rel=1e-3)
    assert found.at == pytest.approx(0.29, abs=0.005)


def test_a_table_that_is_provisioned_for_a_peak_is_worth_it_from_a_share_of_that_peak_on() -> None:
    found = crossings(Workload(requests_per_second=100, utilisation=0.1), TERMS)[-1]

    assert "1,000 requests/s" in found.what
    assert found.at == pytest.approx(289.5, abs=0.5)


def test_where_one_is_cheaper_throughout_that_is_said() -> None:
    many = Terms(Assumptions(worker_tasks=1_000_000), IRELAND)

    found = crossings(Workload(), many)[0]

    assert (found.at, found.below) == (None, Profile.LAMBDA)


def test_a_workload_that_functions_cannot_do_has_no_crossing_with_them() -> None:
    with pytest.raises(Unfit, match="887 s"):
        crossings(Workload(run_seconds=1_000), TERMS)


def test_a_crossing_names_who_is_cheaper_below_and_above_in_either_order() -> None:
    flat, rising = ("flat", lambda _: 5.0), ("rising", lambda place: place)

    for pair in ((flat, rising), (rising, flat)):
        found = crossing("x", "u", 1, 100, *pair)
        assert (found.below, found.above) == ("rising", "flat")
        assert found.at == pytest.approx(5)


def test_every_further_turn_is_told() -> None:
    waves = ("waves", lambda place: math.sin(place) + 2)

    found = crossing("x", "u", 1, 10, waves, ("flat", lambda _: 2.0))

    assert (found.below, found.above) == ("flat", "waves")
    assert [found.at, *found.more] == pytest.approx([math.pi, 2 * math.pi, 3 * math.pi])


@given(root=st.floats(min_value=0.0011, max_value=99_000))
def test_a_root_is_found_wherever_it_is(root: float) -> None:
    assert roots(lambda place: place - root, 0.001, 100_000) == [pytest.approx(root, rel=1e-9)]


def test_what_never_changes_its_sign_has_no_root() -> None:
    assert roots(lambda _: 0.0, 0.001, 100) == []
    assert isinstance(msgspec.to_builtins(crossings(Workload(), TERMS)[0]), dict)
    assert all(isinstance(one, Crossing) for one in crossings(Workload(), TERMS))
