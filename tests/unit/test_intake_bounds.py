from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from acuse.domain.errors import Overloaded
from tests.requests import submission
from tests.unit.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_a_batch_has_its_bound() -> None:
    desk = Desk(max_batch=3)
    for waiter in range(10):
        desk.offer(waiter)
    desk.store.gate.release(100)

    assert [desk.reply()[0] for _ in range(10)] == list(range(10))
    assert max(desk.store.batches) <= 3
    desk.close()


def test_past_the_bound_it_is_overloaded_until_it_has_caught_up() -> None:
    desk = Desk(max_waiting=2)
    desk.offer(1)
    desk.offer(2)
    with pytest.raises(Overloaded):
        desk.offer(3)

    desk.store.gate.release(2)
    assert [desk.reply()[0], desk.reply()[0]] == [1, 2]

    desk.offer(4)
    desk.close()
    assert desk.reply()[0] == 4


def test_the_bytes_that_wait_have_a_bound_too() -> None:
    desk = Desk(max_waiting_bytes=300)
    desk.offer(1, submission(note="x" * 100))
    with pytest.raises(Overloaded):
        desk.offer(2, submission(note="x" * 100))

    desk.offer(3)
    desk.close()
    assert [desk.reply()[0], desk.reply()[0]] == [1, 3]


def test_a_group_counts_with_all_its_submissions(desk: Desk) -> None:
    most = [submission() for _ in range(99)]
    desk.intake.offer(most, 1)

    with pytest.raises(Overloaded):
        desk.intake.offer([submission(), submission()], 2)
    desk.offer(3)

    desk.store.gate.release(100)
    assert {desk.reply()[0] for _ in range(100)} == {1, 3}
    desk.intake.offer([submission(), submission()], 4)
    assert desk.reply()[0] == 4


def test_the_bounds_may_be_reached_exactly() -> None:
    sent = [submission(note="x") for _ in range(4)]
    size = len(sent[0].body)
    desk = Desk(max_waiting=3, max_waiting_bytes=3 * size)
    for waiter in range(3):
        desk.offer(waiter, sent[waiter])

    with pytest.raises(Overloaded, match=r"^too many requests are waiting to be stored$"):
        desk.offer(3, sent[3])

    desk.close()


def test_the_bytes_of_all_that_wait_are_counted_and_of_none_that_was_answered() -> None:
    sent = [submission(note="x") for _ in range(40)]
    size = len(sent[0].body)
    desk = Desk(max_waiting_bytes=3 * size)
    desk.store.gate.release(100)
    for waiter in range(30):
        desk.offer(waiter, sent[waiter])
        assert desk.reply()[0] == waiter
    while desk.store.gate.acquire(blocking=False):
        pass

    for waiter in range(30, 33):
        desk.offer(waiter, sent[waiter])
    with pytest.raises(Overloaded):
        desk.offer(33, sent[33])

    desk.close()


def test_a_crowd_is_cut_into_batches_of_at_most_the_bound() -> None:
    desk = Desk(max_batch=6)
    desk.offer(0)
    assert desk.store.entered.acquire(timeout=30)
    for waiter in range(1, 17):
        desk.offer(waiter)
    desk.store.gate.release(100)

    assert [desk.reply()[0] for _ in range(17)] == list(range(17))
    assert desk.store.batches == [1, 6, 6, 4]
    desk.close()


def test_what_comes_while_a_batch_waits_for_more_fills_it_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(max_batch=6)
    desk.gather(monkeypatch, range(1, 6), then=range(6, 16))

    assert [desk.reply()[0] for _ in range(16)] == list(range(16))
    assert desk.store.batches[:2] == [1, 6]
    assert max(desk.store.batches) == 6
    desk.close()


def test_one_more_among_few_is_a_crowd_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(max_batch=50)
    waits = desk.gather(monkeypatch, range(1, 16), then=[16])

    assert [desk.reply()[0] for _ in range(17)] == list(range(17))
    assert (desk.store.batches, len(waits)) == ([1, 16], 2)
    desk.close()
