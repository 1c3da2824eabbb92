"""What every Store does when it is told to forget what ended long ago."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.domain.delivery import Delivery, Ending
from acuse.domain.outcome import Added
from acuse.domain.record import Failure, Key, Progress, Reason, Record, Status
from tests.requests import record

if TYPE_CHECKING:
    from datetime import datetime

    from acuse.domain.purged import Purged
    from tests.contract.backend import Backend

NOW = timedelta(0)
A_WHILE = timedelta(seconds=60)
TICK = timedelta(microseconds=1)
FAILURE = Failure(Reason.RAISED, "no")


def purge(backend: Backend, before: datetime, limit: int = 10, *, dry: bool = False) -> tuple[int, int]:
    """Requests and parts that are gone, or would be, once no step is left."""
    steps = [backend.store.purge(before, limit, None, dry=dry)]
    while steps[-1].next is not None:
        assert len(steps) < 1_000
        steps.append(backend.store.purge(before, limit, steps[-1].next, dry=dry))
    return sum(step.requests for step in steps), sum(step.parts for step in steps)


def received(backend: Backend, added: Record) -> Delivery:
    assert backend.store.add([added]) == [Added(added)]
    [delivery] = backend.queue.receive(1, NOW)
    return delivery


def end(backend: Backend, *deliveries: Delivery, failed: bool = False) -> None:
    at, error = backend.clock.now(), FAILURE if failed else None
    endings = [Ending(delivery=one, at=at, result=None if failed else b"1", error=error) for one in deliveries]
    assert backend.store.settle(endings) == [True] * len(endings)
    backend.queue.ack(deliveries)


def ended(backend: Backend, *, failed: bool = False) -> str:
    """The id of a request that ended just now."""
    delivery = received(backend, record(backend.clock.now()))
    end(backend, delivery, failed=failed)
    return delivery.key.id


def split(backend: Backend, parts: int, action: str = "delay") -> str:
    """The id of a request that was split and waits for its parts."""
    delivery = received(backend, record(backend.clock.now(), action=action))
    assert backend.store.plan(delivery, [b"%d" % number for number in range(parts)])
    backend.queue.ack([delivery])
    return delivery.key.id


def merged(backend: Backend, parts: int, *, failed: bool = False) -> str:
    """The id of a split request that ended just now, with its parts; the first of them failed if it did."""
    id_ = split(backend, parts)
    deliveries = sorted(backend.queue.receive(parts, NOW), key=lambda one: one.key)
    end(backend, *deliveries[failed:])
    if failed:
        end(backend, deliveries[0], failed=True)
    end(backend, *backend.queue.receive(1, NOW), failed=failed)
    return id_


def parts_of(backend: Backend, id_: str, most: int = 50) -> int:
    return len(backend.store.parts([Key(id_, part) for part in range(1, most + 1)]))


def test_what_ended_before_that_moment_is_gone_and_nothing_else(backend: Backend) -> None:
    finished, failed = ended(backend), ended(backend, failed=True)
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()
    late = ended(backend)
    accepted, running = record(moment), received(backend, record(moment))
    backend.store.add([accepted])

    assert purge(backend, moment) == (2, 0)

    assert set(backend.store.get([finished, failed, late, accepted.id, running.key.id])) == {
        late,
        accepted.id,
        running.key.id,
    }
    assert purge(backend, moment + TICK) == (1, 0)


def test_what_was_accepted_long_ago_and_has_not_ended_stays(backend: Backend) -> None:
    delivery = received(backend, record(backend.clock.now()))
    waiting = split(backend, 2)
    backend.pass_time(timedelta(seconds=1))

    assert purge(backend, backend.clock.now() + A_WHILE) == (0, 0)

    end(backend, delivery)
    end(backend, *backend.queue.receive(2, NOW))
    end(backend, *backend.queue.receive(1, NOW))
    assert backend.store.get([waiting])[waiting].status is Status.FINISHED


def test_parts_go_with_their_request(backend: Backend) -> None:
    gone, failed = merged(backend, 3), merged(backend, 3, failed=True)
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()
    kept = merged(backend, 3)

    assert purge(backend, moment) == (2, 6)

    assert set(backend.store.get([gone, failed, kept])) == {kept}
    assert [parts_of(backend, id_) for id_ in (gone, failed, kept)] == [0, 0, 3]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_a_step_may_be_small_or_large(backend: Backend, limit: int) -> None:
    ids = [ended(backend), merged(backend, 5), ended(backend, failed=True), merged(backend, 9, failed=True)]
    waiting = split(backend, 3)
    backend.pass_time(timedelta(seconds=1))

    assert purge(backend, backend.clock.now(), limit) == (4, 14)

    assert set(backend.store.get([*ids, waiting])) == {waiting}
    assert [parts_of(backend, id_) for id_ in [*ids, waiting]] == [0, 0, 0, 0, 3]


def test_a_dry_run_counts_the_same_and_deletes_nothing(backend: Backend) -> None:
    ids = [ended(backend), merged(backend, 5), ended(backend, failed=True), merged(backend, 4, failed=True)]
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()
    late = ended(backend)
    before = backend.store.get([*ids, late])

    for limit in (1, 3, 100):
        assert purge(backend, moment, limit, dry=True) == (4, 9)

    assert backend.store.get([*ids, late]) == before
    assert [parts_of(backend, id_) for id_ in ids] == [0, 5, 0, 4]
    assert purge(backend, moment) == (4, 9)


def test_nothing_there_is_nothing_gone(backend: Backend) -> None:
    assert purge(backend, backend.clock.now()) == (0, 0)
    assert backend.store.purge(backend.clock.now(), 10, None, dry=True).next is None


def test_what_was_opened_again_stays_until_it_has_ended_again(backend: Backend) -> None:
    alone, whole = ended(backend, failed=True), merged(backend, 3, failed=True)
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()
    assert backend.store.reopen([alone, whole]) == [True, True]

    assert purge(backend, moment) == (0, 0)

    end(backend, *backend.queue.receive(2, NOW))
    end(backend, *backend.queue.receive(1, NOW))
    records = backend.store.get([alone, whole])
    assert [records[id_].status for id_ in (alone, whole)] == [Status.FINISHED] * 2
    assert parts_of(backend, whole) == 3
    assert purge(backend, moment) == (0, 0)
    assert purge(backend, moment + TICK) == (2, 3)


def test_an_id_that_is_gone_is_new_when_it_comes_again(backend: Backend) -> None:
    old = merged(backend, 5, failed=True)
    backend.pass_time(A_WHILE)
    assert purge(backend, backend.clock.now()) == (1, 5)
    assert backend.store.reopen([old]) == [False]

    delivery = received(backend, again := record(backend.clock.now(), id=old, note="other"))
    assert backend.store.plan(delivery, [b'"new"', b'"new"'])
    backend.queue.ack([delivery])

    assert delivery.attempt == 1
    assert backend.store.get([old])[old].fingerprint == again.fingerprint
    assert backend.store.get([old])[old].progress == Progress(parts=2, left=2, failed=0)
    assert {part.value for part in backend.store.parts([Key(old, part) for part in range(1, 9)]).values()} == {b'"new"'}
    end(backend, *backend.queue.receive(2, NOW))
    end(backend, *backend.queue.receive(1, NOW))
    assert backend.store.get([old])[old].status is Status.FINISHED


def test_a_late_word_on_what_is_gone_changes_nothing(backend: Backend) -> None:
    alone, part = received(backend, record(backend.clock.now())), split(backend, 1)
    [of_part] = backend.queue.receive(1, NOW)
    end(backend, alone, of_part)
    end(backend, *backend.queue.receive(1, NOW))
    backend.pass_time(A_WHILE)
    assert purge(backend, backend.clock.now()) == (2, 1)

    late = [Ending(delivery=one, at=backend.clock.now(), result=b"2") for one in (alone, of_part)]
    assert backend.store.settle(late) == [False, False]
    assert not backend.store.plan(alone, [b"1"])
    backend.queue.extend([alone, of_part])
    backend.queue.release([alone, of_part], NOW, charged=True)

    assert backend.store.get([alone.key.id, part]) == {}
    assert parts_of(backend, part) == 0


def test_what_is_left_of_a_purge_that_stopped_on_the_way_is_not_opened_again_and_goes_the_next_time(
    backend: Backend,
) -> None:
    ids = [merged(backend, 8), merged(backend, 8, failed=True)]
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()

    def step(after: str | None) -> Purged:
        return backend.store.purge(moment, 3, after, dry=False)

    stopped_after = [step(None)]
    while stopped_after[-1].next is not None and parts_of(backend, ids[1]) == 8:
        stopped_after.append(step(stopped_after[-1].next))
    left = parts_of(backend, ids[1])
    shown = backend.store.get([ids[1]])

    assert backend.store.reopen([ids[1]]) == [False]
    assert backend.queue.receive(50, NOW) == []
    assert all(one.status is Status.FAILED and one.error == FAILURE for one in shown.values())
    gone = sum(one.requests for one in stopped_after), sum(one.parts for one in stopped_after)
    assert purge(backend, moment, 3, dry=True) == (2 - gone[0], left)
    assert purge(backend, moment, 3) == (2 - gone[0], left)
    assert gone[1] + left == 16
    assert backend.store.get(ids) == {}
    assert parts_of(backend, ids[0]) + parts_of(backend, ids[1]) == 0


def test_several_purges_at_once_leave_nothing_and_take_nothing_else(backend: Backend) -> None:
    ids = [merged(backend, 8, failed=number % 2 == 1) for number in range(2)] + [ended(backend) for _ in range(4)]
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()
    kept = [ended(backend), split(backend, 3)]

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda limit: purge(backend, moment, limit), (4, 7)))

    assert sum(requests for requests, _ in told) >= 6
    assert sum(parts for _, parts in told) >= 16
    assert purge(backend, moment) == (0, 0)
    assert set(backend.store.get([*ids, *kept])) == set(kept)
    assert [parts_of(backend, id_) for id_ in [*ids, *kept]] == [0] * 7 + [3]


def test_what_is_opened_again_while_a_purge_runs_is_whole_or_gone(backend: Backend) -> None:
    ids = [ended(backend, failed=True) for _ in range(3)] + [merged(backend, 4, failed=True) for _ in range(3)]
    backend.pass_time(A_WHILE)
    moment = backend.clock.now()

    with ThreadPoolExecutor(2) as pool:
        purging = pool.submit(purge, backend, moment, 2)
        reopened = [backend.store.reopen([id_])[0] for id_ in reversed(ids)]
        gone, _ = purging.result()

    reopened.reverse()
    there = backend.store.get(ids)
    assert [id_ in there for id_ in ids] == reopened
    assert gone == reopened.count(False)
    while deliveries := backend.queue.receive(50, NOW):
        end(backend, *deliveries)
    assert all(one.status is Status.FINISHED for one in backend.store.get(ids).values())
    assert [parts_of(backend, id_) for id_ in ids] == [4 * done * (place >= 3) for place, done in enumerate(reopened)]


def test_what_ends_while_a_purge_runs_ends_and_stays(backend: Backend) -> None:
    deliveries = [received(backend, record(backend.clock.now())) for _ in range(6)]
    for _ in range(3):
        ended(backend)
    backend.pass_time(timedelta(seconds=1))
    moment = backend.clock.now()

    with ThreadPoolExecutor(2) as pool:
        purging = pool.submit(purge, backend, moment, 2)
        for delivery in deliveries:
            end(backend, delivery)
        assert purging.result() == (3, 0)

    assert len(backend.store.get([one.key.id for one in deliveries])) == 6
