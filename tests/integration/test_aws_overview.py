"""What goes wrong on the wire while something fails, is counted, or is looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.aws.counts import come_to_pass, tallies_of
from acuse.adapters.aws.load import load
from acuse.adapters.aws.overview import AwsOverview
from acuse.domain.backlog import Load
from acuse.domain.errors import StoreUnavailable
from acuse.domain.listing import Filter, Order
from acuse.domain.record import Key, Status
from tests.aws.faults import Broken, Denied, Throttle
from tests.integration.test_aws_faults import PASSING, Bench, bench, wire

if TYPE_CHECKING:
    from acuse.domain.record import Record
    from tests.aws.faults import Fault

__all__ = ["bench", "wire"]  # Fixtures.

FAILED = Filter(status=Status.FAILED)


def overview(bench: Bench, patience: timedelta = timedelta(seconds=10)) -> AwsOverview:
    table = bench.table_with(patience)
    return AwsOverview(table, bench.clock, lambda: load(bench.sqs, bench.url, patience, lambda: None))


def listed(bench: Bench, wanted: Filter, limit: int = 3) -> list[Record]:
    page = overview(bench).find(wanted, limit, None)
    records = [*page.records]
    while page.next is not None:
        page = overview(bench).find(wanted, limit, page.next)
        records += page.records
    return records


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_failed_under_a_fault_has_one_place_and_counts_once(bench: Bench, fault: Fault) -> None:
    records = bench.added(3)
    bench.stream.read()
    bench.wire.plan("BatchExecuteStatement", fault)

    assert bench.store.settle([bench.failed(Key(one.id)) for one in records]) == [True] * 3

    assert sorted(one.id for one in listed(bench, FAILED)) == sorted(one.id for one in records)
    assert sum(one.count for one in tallies_of(come_to_pass(bench.stream.read()))) == 3


@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_is_opened_again_under_a_fault_has_no_place(bench: Bench, fault: Fault) -> None:
    [one] = bench.added()
    assert bench.store.settle([bench.failed(Key(one.id))]) == [True]
    bench.wire.plan("UpdateItem", fault)

    assert bench.store.reopen([one.id]) == [True]

    assert listed(bench, FAILED) == []


@pytest.mark.parametrize("fault", PASSING, ids=repr)
@pytest.mark.parametrize("call", ["Query", "BatchGetItem", "Scan"])
def test_all_is_listed_once_the_fault_is_over(bench: Bench, call: str, fault: Fault) -> None:
    records = bench.added(4)
    assert all(bench.store.settle([bench.failed(Key(one.id)) for one in records]))
    wanted = Filter() if call == "Scan" else FAILED
    bench.wire.plan(call, fault, None, fault)

    found = listed(bench, wanted)

    assert bench.wire.met == 2
    assert sorted(one.id for one in found) == sorted(one.id for one in records)


LOOKS: dict[str, Callable[[AwsOverview], object]] = {
    "Query": lambda shown: shown.find(FAILED, 10, None),
    "BatchGetItem": lambda shown: shown.find(FAILED, 10, None),
    "Scan": lambda shown: shown.find(Filter(), 10, None),
    "GetQueueAttributes": lambda shown: shown.backlog(),
}


@pytest.mark.parametrize("fault", [Broken(), Denied()], ids=repr)
@pytest.mark.parametrize("call", LOOKS)
def test_what_cannot_be_seen_is_unavailable_and_nothing_else_is_shown_for_it(
    bench: Bench, call: str, fault: Fault
) -> None:
    [one] = bench.added()
    assert bench.store.settle([bench.failed(Key(one.id))]) == [True]
    shown = overview(bench, timedelta(0))
    bench.wire.always(call, fault)

    with pytest.raises(StoreUnavailable):
        LOOKS[call](shown)

    bench.wire.clear()
    assert shown.find(FAILED, 10, None).order is Order.LAST_FAILED
    assert shown.backlog().total == Load()


def test_tallies_that_cannot_be_read_are_unavailable(bench: Bench) -> None:
    bench.wire.always("Query", Broken())

    with pytest.raises(StoreUnavailable):
        overview(bench, timedelta(0)).tallies(bench.clock.now())


def test_a_queue_that_is_busy_is_asked_again(bench: Bench) -> None:
    bench.wire.plan("GetQueueAttributes", Throttle())

    assert overview(bench).backlog().total == Load()
