"""Bills calculated by hand, with prices of Ireland as they stand in the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from infra.costs.assumptions import Assumptions
from infra.costs.bill import Side, Use, priced
from infra.costs.prices import Item
from infra.costs.profiles import Terms
from infra.costs.workload import SECONDS, Capacity, Unfit, Workload, workload
from infra.deployment import Profile

from infra.costs import prices
from tests.infra.costs.loads import IRELAND, PLAIN, TERMS

if TYPE_CHECKING:
    from infra.costs.bill import Bill

HOURS = 730
UNWATCHED: dict[str, Any] = {
    "function_alarms": 0,
    "metrics": 0,
    "dashboards": 0,
    "topic_keys": 0,
    "access_bytes": 0,
    "count_bytes": 0,
}
BARE = Terms(Assumptions(idle_polls=0, internet_share=0, **UNWATCHED), IRELAND)
A_TIME = 10
"""Bytes that the relay writes for each end."""


def _usd(bill: Bill) -> dict[str, float]:
    return {line.what: line.usd for line in bill.lines}


def test_a_million_requests_on_functions_cost_what_the_hand_calculates() -> None:
    found = _usd(BARE.bill(Profile.LAMBDA, msgspec.structs.replace(PLAIN, log_months=0)))

    per_poll = 2e6 / (16 * SECONDS)  # of two changes each; four shards are polled four times a second
    relay_calls = 2e6 * (1 - per_poll / 2 + per_poll**2 / 6) / 1  # as a series, to the second order
    assert found == pytest.approx(
        {
            "HTTP API": 1.11,
            "api: calls": 0.20,
            "api: time": 1e6 * 0.03 * 0.5 * 0.0000133334,
            "DynamoDB writes": 2 * 0.705,
            "DynamoDB reads": 0.1415,
            "relay: calls": relay_calls * 0.2e-6,
            "relay: time": relay_calls * 0.04 * 0.5 * 0.0000133334,
            "tallies: writes": relay_calls * 0.705e-6,
            "SQS: sent": 1e6 * (1 - per_poll / 4 + per_poll**2 / 24) * 0.4e-6,
            "SQS: received and deleted": 0.80,
            "worker: calls": 0.20,
            "worker: time": 1e6 * 1.05 * 0.0000133334,
            "logs": 1e6 * A_TIME / 2**30 * 0.57,
        },
        rel=1e-5,
    )


def test_a_million_requests_on_containers_cost_what_the_hand_calculates() -> None:
    bill = BARE.bill(Profile.FARGATE, msgspec.structs.replace(PLAIN, log_bytes=1_024))

    found = _usd(bill)
    answered = 1e6 * (700 + 400) / 2**30
    assert found["load balancer"] == pytest.approx(0.0252 * HOURS)
    assert found["load balancer: capacity"] == pytest.approx((1e6 * 700 / 2**30 + answered) * 0.008)
    assert found["api tasks: vCPU"] == pytest.approx(2 * 0.5 * 0.03238 * HOURS)
    assert found["api tasks: memory"] == pytest.approx(2 * 1 * 0.00356 * HOURS)
    assert found["worker tasks: vCPU"] == pytest.approx(1 * 0.03238 * HOURS)
    assert found["worker tasks: memory"] == pytest.approx(4 * 0.00356 * HOURS)
    assert not {line for line in found if line.endswith("Spot")}
    assert found["interface endpoints"] == pytest.approx(4 * 2 * 0.011 * HOURS)
    assert found["interface endpoints: data"] == pytest.approx(1e6 * (1_024 + 2_048) / 2**30 * 0.01)
    assert found["SQS: received and deleted"] == pytest.approx(0.80)
    assert found["DynamoDB writes"] == pytest.approx(1.41)
    assert bill.total == pytest.approx(sum(found.values()))
    assert bill.per_million == pytest.approx(bill.total)


def test_tallies_are_nearly_a_write_a_change_while_there_are_few_and_one_a_batch_when_there_are_many() -> None:
    few, many = (Workload(requests_per_second=rate) for rate in (1, 10_000))

    for profile in Profile:
        small, large = (TERMS.bill(profile, load) for load in (few, many))
        assert 0.9 < _usd(small)["tallies: writes"] / (2 * few.requests * 0.705e-6) < 1
        assert _usd(large)["tallies: writes"] == pytest.approx(2 * many.requests / 100 * 0.705e-6)
        assert _usd(small)["tallies: writes"] < 0.06 * small.total
        assert _usd(large)["tallies: writes"] < 0.002 * large.total


def test_what_the_reference_says_that_tallies_cost_is_what_the_model_says() -> None:
    reference = (Path(__file__).parents[3] / "docs/reference/aws.md").read_text("utf-8")
    said = {
        1: "{:.2f} USD a month of {:.2f} with `lambda`",
        10: "{:.0f} USD of {:.0f}",
        10_000: "{:.0f} USD of {:,.0f}",
    }

    for rate, text in said.items():
        bill = TERMS.bill(Profile.LAMBDA, Workload(requests_per_second=rate))
        assert text.format(_usd(bill)["tallies: writes"], bill.total) in reference


def test_tallies_of_more_than_a_kilobyte_and_in_a_provisioned_table_are_paid_for_as_other_writes() -> None:
    larger = Terms(Assumptions(tally_bytes=2_000), IRELAND)
    provisioned = msgspec.structs.replace(PLAIN, capacity=Capacity.PROVISIONED, utilisation=0.5)

    [plain], [twice], [hourly] = (
        [line for line in made.bill(Profile.LAMBDA, load).lines if line.what.startswith("tallies")]
        for made, load in ((TERMS, PLAIN), (larger, PLAIN), (TERMS, provisioned))
    )

    assert twice.quantity == 2 * plain.quantity
    assert hourly.quantity == pytest.approx(plain.quantity / 3_600 / 0.5)


def test_busy_workers_are_paid_for_by_the_time_they_run_and_wait() -> None:
    # 100 requests/s of 7 s: 700 runs and 5 of overhead at once, two in a task, seven tenths of the time.
    load = Workload(requests_per_second=100, run_seconds=7)

    found = {line.item: line.quantity for line in TERMS.bill(Profile.FARGATE, load).lines if line.side is Side.WORKERS}

    tasks = 100 * 7.05 / 2 / 0.7
    assert found[Item.SPOT_VCPU] == pytest.approx((tasks - 1) * 3 / 4 * HOURS)
    assert found[Item.SPOT_MEMORY] == pytest.approx(4 * (tasks - 1) * 3 / 4 * HOURS)
    assert found[Item.VCPU] == pytest.approx((1 + (tasks - 1) / 4) * HOURS)
    assert found[Item.MEMORY] == pytest.approx(4 * (1 + (tasks - 1) / 4) * HOURS)


def test_a_run_with_more_memory_than_its_share_of_a_task_makes_the_task_larger() -> None:
    fits, twice = (Workload(worker_mb=mb) for mb in (2_048, 4_096))

    small, large = (TERMS.bill(Profile.FARGATE, load) for load in (fits, twice))

    assert _usd(large)["worker tasks: vCPU"] == pytest.approx(2 * _usd(small)["worker tasks: vCPU"])


def test_short_runs_share_requests_to_the_queue_in_containers_but_not_in_functions() -> None:
    load = msgspec.structs.replace(PLAIN, run_seconds=0.005)

    functions, containers = (_usd(TERMS.bill(profile, load)) for profile in Profile)

    assert functions["SQS: received and deleted"] == pytest.approx(0.80)
    assert containers["SQS: received and deleted"] == pytest.approx(0.08)


def test_long_runs_in_containers_pay_for_the_renewal_of_their_leases() -> None:
    # Four times in 30 s: eight requests for a run of a minute.
    load = msgspec.structs.replace(PLAIN, run_seconds=60)

    assert _usd(TERMS.bill(Profile.FARGATE, load))["SQS: leases renewed"] == pytest.approx(8 * 0.40)


def test_a_bulk_is_one_request_to_the_http_api_and_one_for_each_half_megabyte() -> None:
    small, large = (msgspec.structs.replace(PLAIN, bulk=100, item_bytes=size) for size in (700, 7_000))

    assert _usd(TERMS.bill(Profile.LAMBDA, small))["HTTP API"] == pytest.approx(0.0111)
    assert _usd(TERMS.bill(Profile.LAMBDA, large))["HTTP API"] == pytest.approx(2 * 0.0111)


def test_each_further_request_in_a_post_takes_the_function_a_little_longer() -> None:
    load = msgspec.structs.replace(PLAIN, bulk=101)

    # 30 ms, and 1 ms for each of the other hundred, in half a GB
    assert _usd(BARE.bill(Profile.LAMBDA, load))["api: time"] == pytest.approx(1e6 / 101 * 0.13 * 0.5 * 0.0000133334)


def test_a_split_request_is_a_message_for_its_split_each_part_and_its_merge() -> None:
    load = msgspec.structs.replace(PLAIN, parts=8)

    found = _usd(BARE.bill(Profile.LAMBDA, load))

    assert found["worker: calls"] == pytest.approx(10 * 0.20)
    assert found["worker: time"] == pytest.approx(1e6 * (8 * 1.0 + 10 * 0.05) * 0.0000133334)


def test_logs_are_kept_compressed_for_as_long_as_is_said() -> None:
    load = msgspec.structs.replace(PLAIN, log_bytes=1_024 - A_TIME, log_months=6)

    assert _usd(BARE.bill(Profile.LAMBDA, load))["logs, kept"] == pytest.approx(1e6 * 1_024 / 2**30 * 6 * 0.15 * 0.03)


def test_logs_hold_each_post_that_comes_each_call_that_counts_and_what_actions_write() -> None:
    # So few that no two changes share a call of the relay: one counts the request, another its end.
    load = Workload(requests_per_second=0.001, replay_share=0.5, bulk=2, log_bytes=70)
    logged = Terms(Assumptions(access_bytes=200, count_bytes=300), IRELAND)

    functions, containers = (
        next(line.quantity for line in logged.bill(profile, load).lines if line.item is Item.LOGS)
        for profile in Profile
    )

    own = 70 + A_TIME + 2 * 300
    assert functions * 2**30 / load.requests == pytest.approx(own + 1.5 / 2 * 200, rel=1e-3)
    assert containers * 2**30 / load.requests == pytest.approx(own, rel=1e-3)


def test_the_relay_writes_less_for_each_request_where_there_are_more() -> None:
    load = Workload(requests_per_second=100_000, replay_share=0, log_bytes=0)

    logs = next(line for line in TERMS.bill(Profile.FARGATE, load).lines if line.item is Item.LOGS)

    # Two changes, of which a hundred share a call.
    assert logs.quantity * 2**30 / load.requests == pytest.approx(A_TIME + 2 / 100 * 360, rel=0.01)


def test_a_load_balancer_that_is_public_has_an_address_in_each_zone() -> None:
    public = Terms(Assumptions(public_addresses=True), IRELAND)

    assert "load balancer: addresses" not in _usd(TERMS.bill(Profile.FARGATE, PLAIN))
    found = _usd(public.bill(Profile.FARGATE, PLAIN))
    assert found["load balancer: addresses"] == pytest.approx(2 * 0.005 * HOURS)


def test_the_intake_has_as_many_tasks_as_its_load_needs_and_two_at_least() -> None:
    few, many = (_usd(TERMS.bill(Profile.FARGATE, Workload(requests_per_second=rate))) for rate in (1, 1_000))

    assert few["api tasks: vCPU"] == pytest.approx(2 * 0.5 * 0.03238 * HOURS)
    assert many["api tasks: vCPU"] == pytest.approx(1_000 * 1.01 / 100 * 0.5 * 0.03238 * HOURS)


def test_requests_sent_together_need_fewer_tasks_of_the_intake() -> None:
    # In a POST of 31, thirty take as long as one more.
    load = Workload(requests_per_second=31_000, replay_share=0, bulk=31)

    found = _usd(TERMS.bill(Profile.FARGATE, load))

    assert found["api tasks: vCPU"] == pytest.approx(2 * 1_000 / 100 * 0.5 * 0.03238 * HOURS)


def test_the_load_balancer_is_paid_for_by_connections_where_they_are_more_than_the_bytes() -> None:
    # 5,000 POSTs/s on connections of ten: 500 new ones a second, of which 25 are a unit.
    load = Workload(requests_per_second=5_000, replay_share=0, item_bytes=1)

    assert _usd(TERMS.bill(Profile.FARGATE, load))["load balancer: capacity"] == pytest.approx(20 * 0.008 * HOURS)


def test_lines_of_one_kind_share_its_tiers() -> None:
    uses = [Use(Side.INTAKE, "one", Item.HTTP_API, 300e6), Use(Side.QUEUE, "other", Item.HTTP_API, 100e6)]

    bill = priced("lambda", 1e6, uses, IRELAND)

    assert bill.total == pytest.approx(333 + 100)
    assert [line.usd for line in bill.lines] == pytest.approx([433 * 0.75, 433 * 0.25])


def test_what_is_not_used_has_no_line() -> None:
    assert "load balancer" not in _usd(TERMS.bill(Profile.LAMBDA, PLAIN))
    assert "KMS key" not in _usd(TERMS.bill(Profile.LAMBDA, PLAIN))
    assert _usd(TERMS.bill(Profile.LAMBDA, msgspec.structs.replace(PLAIN, customer_key=True)))["KMS key"] == 1.0


def test_each_region_has_its_own_bill() -> None:
    virginia = Terms(Assumptions(), prices.read().region("us-east-1"))

    assert _usd(virginia.bill(Profile.LAMBDA, PLAIN))["DynamoDB writes"] == pytest.approx(1.25)


def test_a_run_longer_than_a_function_lives_is_for_containers_only() -> None:
    load = Workload(run_seconds=888)

    with pytest.raises(Unfit, match="a function leaves a run 887 s at most"):
        TERMS.bill(Profile.LAMBDA, load)
    assert TERMS.bill(Profile.FARGATE, load).total > 0


def test_a_post_larger_than_the_function_takes_is_for_containers_only() -> None:
    load = Workload(bulk=4_000, item_bytes=700)

    with pytest.raises(Unfit, match="`api` takes 1,048,576 in a POST"):
        TERMS.bill(Profile.LAMBDA, load)
    assert TERMS.bill(Profile.FARGATE, load).total > 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"requests_per_second": float("nan")}, "requests_per_second"),
        ({"requests_per_second": float("inf")}, "requests_per_second"),
        ({"parts": -1}, "parts"),
        ({"parts": 10_001}, "parts"),
        ({"item_bytes": 1.5}, "item_bytes"),
        ({"utilisation": 0}, "utilisation"),
        ({"item_bytes": 409_500}, "over 409,600 bytes"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_workload_that_cannot_be_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(Unfit, match=said):
        workload(values)
