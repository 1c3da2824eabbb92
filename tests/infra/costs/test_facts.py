"""What was calculated for Ireland before there was a model, from the same prices: the model must say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from infra.costs.assumptions import Assumptions
from infra.costs.crossing import RATE, crossings
from infra.costs.prices import Item
from infra.costs.profiles import Terms
from infra.costs.workload import Capacity
from infra.deployment import Profile

from tests.infra.costs.loads import IRELAND, PLAIN

if TYPE_CHECKING:
    from infra.costs.workload import Workload


def _usd(profile: Profile, load: Workload, *named: str, **assumed: Any) -> float:
    """A million requests' lines whose names begin so."""
    bill = Terms(Assumptions(**assumed), IRELAND).bill(profile, load)
    return sum(line.usd for line in bill.lines if line.what.startswith(named))


def test_to_create_and_finish_a_million_requests_writes_for_a_dollar_and_forty_one() -> None:
    assert _usd(Profile.LAMBDA, PLAIN, "DynamoDB writes") == pytest.approx(1.41)


def test_an_http_api_with_a_small_function_costs_a_dollar_and_thirty_six_a_million() -> None:
    found = _usd(Profile.LAMBDA, PLAIN, "HTTP API", "api: ", api_mb=256, api_seconds=0.015)

    assert found == pytest.approx(1.36, abs=0.005)


def test_a_run_of_a_minute_costs_eight_hundred_dollars_a_million_on_functions() -> None:
    minute = msgspec.structs.replace(PLAIN, run_seconds=60)

    assert _usd(Profile.LAMBDA, minute, "worker: time", worker_seconds=0) == pytest.approx(800, abs=1)


def test_a_run_of_a_minute_costs_three_hundred_and_thirty_dollars_a_million_on_containers_kept_busy() -> None:
    minute = msgspec.structs.replace(PLAIN, run_seconds=60)
    kept_busy = {"worker_seconds": 0, "busy_share": 1, "spot_share": 0, "runners": 1, "worker_tasks": 0}

    found = _usd(Profile.FARGATE, minute, "worker tasks", worker_task_vcpu=0.5, worker_task_gb=1, **kept_busy)

    assert found == pytest.approx(329, abs=1)


def test_a_kilobyte_of_log_costs_fifty_seven_cents_a_million() -> None:
    logged = msgspec.structs.replace(PLAIN, log_bytes=1_064)  # and 10 of the relay; a GB is 2**30 bytes
    nothing_else = {"log_compression": 1e-9, "access_bytes": 0, "count_bytes": 0}

    assert _usd(Profile.LAMBDA, logged, "logs", **nothing_else) == pytest.approx(0.57, abs=0.001)


def test_provisioned_writes_cost_twenty_cents_a_million_where_all_are_used() -> None:
    full = msgspec.structs.replace(PLAIN, requests_per_second=1_000, capacity=Capacity.PROVISIONED, utilisation=1)

    bill = Terms(Assumptions(), IRELAND).bill(Profile.LAMBDA, full)

    writes = next(line.usd for line in bill.lines if line.item is Item.WRITE_CAPACITY)
    assert writes / (2 * full.requests) * 1e6 == pytest.approx(0.204, abs=0.0005)


def test_without_endpoints_the_smallest_containers_take_in_more_cheaply_from_some_fifteen_requests_a_second_on() -> (
    None
):
    small: dict[str, Any] = {"api_task_vcpu": 0.25, "api_task_gb": 0.5, "api_mb": 256, "api_seconds": 0.015}
    assumed = Assumptions(**small, zones=4, public_addresses=True, endpoints=0, internet_share=0)

    found = next(one for one in crossings(PLAIN, Terms(assumed, IRELAND)) if one.what.startswith("intake"))

    assert (found.below, found.above, found.unit) == (Profile.LAMBDA, Profile.FARGATE, RATE)
    assert found.at == pytest.approx(15, rel=0.15)


def test_the_queue_costs_no_more_than_three_requests_a_message_and_no_less_than_three_tenths() -> None:
    slow = _usd(Profile.LAMBDA, PLAIN, "SQS: sent", "SQS: received")
    fast = _usd(Profile.FARGATE, msgspec.structs.replace(PLAIN, run_seconds=0.001), "SQS: sent", "SQS: received")
    flood = msgspec.structs.replace(PLAIN, requests_per_second=10_000, run_seconds=0.001)
    busy = _usd(Profile.FARGATE, flood, "SQS: sent", "SQS: received") / flood.requests * 1e6

    assert 1.15 < slow <= 1.20
    assert 0.40 < fast < 0.48
    assert busy == pytest.approx(0.12, rel=0.05)
