"""More of anything never costs less."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from infra.costs.workload import Capacity, Workload
from infra.deployment import Profile

from tests.infra.costs.loads import TERMS

RATE = st.floats(min_value=0.001, max_value=50_000)
GROWING: dict[str, st.SearchStrategy[Any]] = {
    "requests_per_second": RATE,
    "item_bytes": st.integers(1, 200_000),
    "result_bytes": st.integers(0, 65_536),
    "run_seconds": st.floats(min_value=0, max_value=887),
    "worker_mb": st.integers(256, 10_240),
    "replay_share": st.floats(min_value=0, max_value=5),
    "log_bytes": st.integers(0, 100_000),
    "log_months": st.floats(min_value=0, max_value=120),
    "storage_months": st.floats(min_value=0, max_value=120),
    "purge": st.booleans(),
    "customer_key": st.booleans(),
}
LOADS = st.builds(
    Workload,
    requests_per_second=RATE,
    item_bytes=st.integers(1, 20_000),
    result_bytes=st.integers(0, 10_000),
    run_seconds=st.floats(min_value=0, max_value=800),
    parts=st.sampled_from([0, 1, 7, 40]),
    capacity=st.sampled_from(Capacity),
    purge=st.booleans(),
)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("field", GROWING)
@given(data=st.data())
def test_a_month_with_more_of_it_costs_no_less(profile: Profile, field: str, data: st.DataObject) -> None:
    load = data.draw(LOADS)
    less, more = sorted(data.draw(st.tuples(GROWING[field], GROWING[field])))

    lower, higher = (
        TERMS.bill(profile, msgspec.structs.replace(load, **{field: value})).total for value in (less, more)
    )

    assert lower <= higher * (1 + 1e-9)


@pytest.mark.parametrize("profile", Profile)
@given(load=LOADS, rates=st.tuples(RATE, RATE))
def test_a_million_requests_cost_no_more_where_there_are_more_of_them(
    profile: Profile, load: Workload, rates: tuple[float, float]
) -> None:
    few, many = (TERMS.bill(profile, load.at(rate)).per_million for rate in sorted(rates))

    assert many <= few * (1 + 1e-9)


@pytest.mark.parametrize("profile", Profile)
@given(load=LOADS)
def test_a_request_in_many_parts_costs_more_than_in_one(profile: Profile, load: Workload) -> None:
    one, many = (TERMS.bill(profile, msgspec.structs.replace(load, parts=parts)).total for parts in (1, 50))

    assert one < many


@pytest.mark.parametrize("profile", Profile)
@given(load=LOADS, bulk=st.integers(2, 50))
def test_requests_sent_together_cost_no_more_than_alone(profile: Profile, load: Workload, bulk: int) -> None:
    alone, together = (TERMS.bill(profile, msgspec.structs.replace(load, bulk=number)).total for number in (1, bulk))

    assert together <= alone * (1 + 1e-9)
