from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from acuse.adapters.memory import Memory, MemoryStore
from acuse.application import intake as module
from acuse.application.intake import Intake
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Conflict, Existing, Withheld
from tests.clock import StillClock
from tests.requests import submission
from tests.unit.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from acuse.application.intake import Reply
    from acuse.domain.outcome import Addition
    from acuse.domain.record import Record


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_a_waiter_hears_only_after_the_commit(desk: Desk) -> None:
    desk.offer(1)
    assert desk.store.entered.acquire(timeout=30)
    assert desk.replies.empty()

    desk.store.gate.release()

    waiter, receipt = desk.reply()
    assert waiter == 1
    assert isinstance(receipt, Added)


def test_while_a_batch_is_committed_the_next_one_gathers(desk: Desk) -> None:
    for waiter in range(8):
        desk.offer(waiter)
    desk.store.gate.release(100)

    assert [desk.reply()[0] for _ in range(8)] == list(range(8))
    assert len(desk.store.batches) < 8
    assert sum(desk.store.batches) == 8


def test_the_same_content_is_the_same_request_and_other_content_a_conflict(desk: Desk) -> None:
    first = submission(note="first")
    desk.store.gate.release(100)
    desk.offer(1, first)
    desk.offer(2, first)
    desk.offer(3, submission(id=first.id, note="other"))

    kinds = [type(desk.reply()[1]) for _ in range(3)]

    assert kinds == [Added, Existing, Conflict]


def test_a_store_that_fails_is_told_to_those_in_the_batch_and_to_no_other(desk: Desk) -> None:
    desk.store.error = StoreUnavailable("disk full")
    desk.offer(1)
    desk.store.gate.release()
    assert desk.reply() == (1, desk.store.error)

    desk.store.error = None
    desk.store.gate.release()
    desk.offer(2)

    assert isinstance(desk.reply()[1], Added)


def test_a_store_that_breaks_in_an_unforeseen_way_does_not_end_the_intake(desk: Desk) -> None:
    desk.store.error = ValueError("a bug")
    desk.offer(1)
    desk.store.gate.release()
    assert isinstance(desk.reply()[1], StoreUnavailable)

    desk.store.error = None
    desk.store.gate.release()
    desk.offer(2)

    assert isinstance(desk.reply()[1], Added)


def test_closing_stores_what_was_offered_before() -> None:
    desk = Desk()
    for waiter in range(7):
        desk.offer(waiter)

    desk.close()

    assert [desk.reply()[0] for _ in range(7)] == list(range(7))


def test_every_write_that_the_store_took_is_told_and_an_idle_intake_tries_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    desk = Desk()

    desk.commits.get(timeout=30)
    desk.commits.get(timeout=30)

    desk.close()


def test_a_crowd_is_waited_for_as_long_as_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    waits = desk.gather(monkeypatch, range(1, 5), then=[5, 6])

    assert [desk.reply()[0] for _ in range(7)] == list(range(7))
    assert (desk.store.batches, len(waits)) == ([1, 6], 2)
    desk.close()


def test_what_could_not_be_stored_alone_is_told_to_its_own_waiter_alone(desk: Desk) -> None:
    requests = [submission() for _ in range(3)]
    desk.store.refused = {requests[1].id}
    desk.store.gate.release(3)
    for waiter, sent in enumerate(requests):
        desk.offer(waiter, sent)

    replies = dict(desk.reply() for _ in requests)

    assert isinstance(replies[0], Added)
    assert isinstance(replies[1], StoreUnavailable)
    assert isinstance(replies[2], Added)


def test_an_idle_store_is_left_alone_when_nobody_asks_for_its_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.01)
    delivered = threading.Event()
    intake: Intake[int] = Intake(
        MemoryStore(Memory(StillClock())),
        StillClock(),
        lambda _: delivered.set(),
        committed=None,
        max_waiting=10,
        max_waiting_bytes=10_000,
        max_batch=10,
    )
    intake.start()
    assert not delivered.wait(0.2)

    intake.offer([submission()], 1)

    assert delivered.wait(30)
    intake.close()


def test_what_is_offered_together_with_others_is_stored_in_one_commit_and_answered_in_order(desk: Desk) -> None:
    first, second = submission(), submission()
    desk.intake.offer([first, second, submission(id=first.id, note="other")], 1)
    desk.store.gate.release(100)

    kinds = [type(desk.reply()[1]) for _ in range(3)]

    assert kinds == [Added, Added, Conflict]
    assert desk.store.batches == [3]


def test_all_or_none_is_a_commit_of_its_own(desk: Desk) -> None:
    alone, first, second = submission(), submission(), submission()
    desk.store.add_together([first.accepted(StillClock().now())])
    desk.offer(0)
    assert desk.store.entered.acquire(timeout=30)
    desk.offer(1, alone)
    desk.intake.offer([second, submission(id=first.id, note="other")], 2, together=True)
    desk.intake.offer([first, second], 3, together=True)
    desk.store.gate.release(100)

    replies = [desk.reply() for _ in range(6)]

    assert [waiter for waiter, _ in replies] == [0, 1, 2, 2, 3, 3]
    assert [type(reply) for _, reply in replies] == [Added, Added, Withheld, Conflict, Existing, Added]


def test_a_store_that_fails_is_told_to_each_of_a_group(desk: Desk) -> None:
    desk.store.error = StoreUnavailable("away")
    desk.intake.offer([submission(), submission()], 1)
    desk.store.gate.release(1)

    assert [desk.reply(), desk.reply()] == [(1, desk.store.error)] * 2


def test_each_waiter_hears_what_came_of_its_own(desk: Desk) -> None:
    desk.offer(0)
    assert desk.store.entered.acquire(timeout=30)
    groups = [[submission() for _ in range(size)] for size in (1, 3, 2)]
    for waiter, group in enumerate(groups, 1):
        desk.intake.offer(group, waiter)
    desk.store.gate.release(100)

    heard = [desk.reply() for _ in range(7)][1:]

    assert all(isinstance(reply, Added) for _, reply in heard)
    assert [(waiter, reply.record.id) for waiter, reply in heard if isinstance(reply, Added)] == [
        (waiter, sent.id) for waiter, group in enumerate(groups, 1) for sent in group
    ]
    assert desk.store.batches == [1, 6]


def test_a_conflict_shows_what_is_there(desk: Desk) -> None:
    first = submission(note="first")
    desk.store.gate.release(100)
    desk.offer(1, first)
    _, added = desk.reply()
    desk.offer(2, submission(id=first.id, note="other"))

    assert isinstance(added, Added)
    assert desk.reply() == (2, Conflict(added.record))


def test_what_is_stored_bears_the_time_of_its_commit(desk: Desk) -> None:
    desk.store.gate.release()
    desk.offer(1)

    _, added = desk.reply()

    assert isinstance(added, Added)
    assert added.record.created_at == StillClock().now()


def test_a_write_of_which_something_was_refused_does_not_show_that_the_store_is_well(desk: Desk) -> None:
    sent = submission()
    desk.store.refused = {sent.id}
    desk.store.gate.release(2)
    desk.offer(1, sent)
    assert isinstance(desk.reply()[1], StoreUnavailable)
    assert desk.commits.empty()

    desk.offer(2)

    desk.commits.get(timeout=30)


def test_a_store_that_answers_too_little_is_believed_nothing() -> None:
    class Short(MemoryStore):
        def add(self, records: Sequence[Record]) -> list[Addition]:
            return super().add(records)[:1]

    heard: SimpleQueue[Sequence[tuple[int, Sequence[Reply]]]] = SimpleQueue()
    intake: Intake[int] = Intake(
        Short(Memory(StillClock())),
        StillClock(),
        heard.put,
        committed=None,
        max_waiting=10,
        max_waiting_bytes=10_000,
        max_batch=10,
    )
    intake.offer([submission(), submission()], 1)
    intake.start()

    [(waiter, replies)] = heard.get(timeout=30)

    assert waiter == 1
    assert [str(one) for one in replies] == ["the store failed in an unforeseen way"] * 2
    intake.close()


def test_an_intake_that_nobody_closes_keeps_no_process_alive() -> None:
    before = set(threading.enumerate())
    desk = Desk()

    [thread] = set(threading.enumerate()) - before

    assert (thread.name, thread.daemon) == ("acuse-intake", True)
    desk.close()
