"""The counts of docs/reference/aws.md, "What it costs"."""

from __future__ import annotations

import msgspec
import pytest
from infra.costs.prices import Item
from infra.costs.store import Traffic
from infra.costs.workload import HOURS, Capacity, Workload

from infra.costs import store
from tests.infra.costs.loads import PLAIN

SPLIT = msgspec.structs.replace(PLAIN, parts=9, result_bytes=50)


def _quantities(workload: Workload, together: float = 1) -> dict[Item, float]:
    return {use.item: use.quantity for use in store.uses(workload, together)}


def test_a_small_request_is_two_writes_and_one_read() -> None:
    assert store.traffic(PLAIN, 1) == Traffic(writes=2, reads=1, changes=2)


@pytest.mark.parametrize(
    ("item", "result", "writes", "reads"),
    [
        (1_024, 0, 1 + 2, 1),  # the end makes it larger than 1 KB
        (914, 0, 2, 1),
        (914, 1, 1 + 2, 1),
        (4_097, 0, 5 + 5, 2),
        (10_000, 20_000, 10 + 30, 3),
    ],
)
def test_a_write_is_a_unit_for_each_kb_of_the_whole_item(item: int, result: int, writes: int, reads: int) -> None:
    workload = msgspec.structs.replace(PLAIN, item_bytes=item, result_bytes=result)

    assert store.traffic(workload, 1)[:2] == (writes, reads)


def test_a_split_request_pays_for_its_split_its_parts_and_their_count() -> None:
    # Request: added, split by two writes, ended. Part: added, ended by two. Count: two writes for each transaction.
    alone = store.traffic(SPLIT, 1)
    together = store.traffic(SPLIT, 9)

    assert alone.writes == 4 + 9 * 3 + 9 * 2
    assert together.writes == 4 + 9 * 3 + 2


def test_parts_that_end_by_tens_are_ended_for_what_the_tests_of_the_store_found() -> None:
    # Ten parts end as nine and one: 2.4 writes each.
    ten = msgspec.structs.replace(SPLIT, parts=10)
    added = 4 + 10

    assert (store.traffic(ten, 5).writes - added) / 10 == pytest.approx(2.4)


def test_the_runs_of_a_split_request_read_request_and_parts() -> None:
    # The split and the merge read the request, each part's run both, the merge all parts.
    assert store.traffic(SPLIT, 1).reads == 2 + 9 * 2 + 9


def test_the_stream_tells_of_every_change_of_an_item() -> None:
    # Request: added, claimed, planned, nine counts, ended. Part: added, ended.
    assert store.traffic(SPLIT, 1).changes == 4 + 9 + 18


def test_a_request_sent_again_is_a_write_that_is_refused_and_a_read_and_no_change() -> None:
    again = msgspec.structs.replace(PLAIN, replay_share=1)

    before, after = store.monthly(PLAIN, 1), store.monthly(again, 1)

    assert after.writes - before.writes == pytest.approx(1e6)
    assert after.reads - before.reads == pytest.approx(1e6)
    assert after.changes == before.changes


def test_many_requests_in_one_post_are_still_a_write_each() -> None:
    bulk = msgspec.structs.replace(PLAIN, bulk=25)

    assert store.monthly(bulk, 1) == store.monthly(PLAIN, 1)


def test_a_purge_reads_the_table_at_half_price_and_writes_for_each_that_goes() -> None:
    kept = msgspec.structs.replace(PLAIN, storage_months=2, item_bytes=614, result_bytes=200)
    purged = msgspec.structs.replace(kept, purge=True)

    before, after = store.monthly(kept, 1), store.monthly(purged, 1)

    assert after.writes - before.writes == pytest.approx(1e6)
    assert after.reads - before.reads == pytest.approx(2e6 * (614 + 200 + 110 + 100) / 4_096 / 2)


def test_a_purge_of_a_split_request_writes_for_each_part_and_reads_them() -> None:
    assert store.purged(SPLIT) == Traffic(writes=10, reads=2, changes=0)


def test_what_is_kept_is_billed_in_full_and_backed_up() -> None:
    found = _quantities(msgspec.structs.replace(PLAIN, storage_months=3, item_bytes=614, result_bytes=200))

    assert found[Item.STORAGE] == found[Item.BACKUP] == pytest.approx(3e6 * 1_024 / 2**30)


def test_provisioned_capacity_is_billed_by_the_hour_used_or_not() -> None:
    busy = msgspec.structs.replace(PLAIN, requests_per_second=100, capacity=Capacity.PROVISIONED, utilisation=0.5)

    found = _quantities(busy)

    assert found[Item.WRITE_CAPACITY] == pytest.approx(200 / 0.5 * HOURS)
    assert found[Item.READ_CAPACITY] == pytest.approx(100 / 0.5 * HOURS)
    assert Item.WRITE not in found


def test_a_provisioned_table_has_one_unit_at_least() -> None:
    idle = msgspec.structs.replace(PLAIN, requests_per_second=0.001, capacity=Capacity.PROVISIONED)

    assert _quantities(idle)[Item.WRITE_CAPACITY] == HOURS
