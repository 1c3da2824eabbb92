"""An intake says of each commit how many requests were in it, and what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from acuse.adapters.memory import Memory, MemoryStore
from acuse.application.intake import Intake
from acuse.domain.event import Committed
from acuse.domain.outcome import Added
from tests.clock import StillClock
from tests.requests import new_id, submission
from tests.unit.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from acuse.application.intake import Reply
    from acuse.domain.event import Event


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def committed(desk: Desk) -> list[tuple[int, dict[str, int], dict[str, int]]]:
    found = [event for event in desk.events if isinstance(event, Committed)]
    assert len(found) == len(desk.events)
    assert all(event.seconds >= 0 for event in found)
    return [(event.requests, dict(event.accepted), dict(event.replayed)) for event in found]


def test_of_what_is_stored_together_each_action_is_counted(desk: Desk) -> None:
    desk.store.gate.release(1)
    desk.intake.offer([submission(), submission(action="other"), submission()], 1)
    for _ in range(3):
        desk.reply()

    assert committed(desk) == [(3, {"delay": 2, "other": 1}, {})]


def test_what_was_known_is_replayed_and_what_conflicts_is_neither(desk: Desk) -> None:
    desk.store.gate.release(2)
    sent = submission()
    desk.intake.offer([sent], 1)
    desk.reply()
    desk.intake.offer([sent, submission(id=sent.id, more=1), submission()], 2)
    for _ in range(3):
        desk.reply()

    assert committed(desk) == [(1, {"delay": 1}, {}), (3, {"delay": 1}, {"delay": 1})]


def test_what_could_not_be_stored_is_not_accepted(desk: Desk) -> None:
    desk.store.gate.release(1)
    sent = [submission(), submission()]
    desk.store.refused = {sent[0].id}
    desk.intake.offer(sent, 1)
    for _ in range(2):
        desk.reply()

    assert committed(desk) == [(2, {"delay": 1}, {})]


@pytest.mark.parametrize("error", [OSError("no"), ZeroDivisionError()])
def test_a_commit_that_failed_is_none(desk: Desk, error: Exception) -> None:
    desk.store.error = error
    desk.store.gate.release(1)
    desk.offer(1)
    desk.reply()

    assert desk.events == []


def test_an_empty_commit_is_none(desk: Desk) -> None:
    desk.commits.get(timeout=30)

    assert desk.events == []


def test_the_answer_comes_after_the_event_and_an_observer_that_fails_keeps_none_back() -> None:
    heard: list[str] = []

    def deliver(replies: Sequence[tuple[int, Sequence[Reply]]]) -> None:
        heard.extend(type(reply).__name__ for _, found in replies for reply in found)

    def fails(event: Event) -> None:
        heard.append(type(event).__name__)
        raise ZeroDivisionError

    store = MemoryStore(Memory(StillClock()))
    intake: Intake[int] = Intake(
        store,
        StillClock(),
        deliver,
        max_waiting=10,
        max_waiting_bytes=10_000,
        max_batch=10,
        committed=None,
        observe=fails,
    )
    intake.start()
    id_ = new_id()
    intake.offer([submission(id=id_)], 1)
    intake.close()

    assert heard == ["Committed", Added.__name__]
    assert list(store.get([id_])) == [id_]
