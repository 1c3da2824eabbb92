"""What every Store does."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from acuse.domain.delivery import Delivery, Ending
from acuse.domain.outcome import Added, Existing
from acuse.domain.record import Failure, Key, Progress, Reason, Record, Status
from acuse.domain.submission import parse
from tests.requests import new_id, record

if TYPE_CHECKING:
    from tests.contract.backend import Backend

NOW = timedelta(0)
FAILURE = Failure(Reason.RAISED, "ValueError: no")


def receive(backend: Backend, limit: int = 100) -> list[Delivery]:
    return sorted(backend.queue.receive(limit, NOW), key=lambda one: one.key)


def received(backend: Backend, added: Record) -> Delivery:
    assert backend.store.add([added]) == [Added(added)]
    [delivery] = receive(backend)
    return delivery


def finished(backend: Backend, delivery: Delivery, result: bytes = b"{}") -> Ending:
    return Ending(delivery=delivery, at=backend.clock.now(), result=result)


def failed(backend: Backend, delivery: Delivery) -> Ending:
    return Ending(delivery=delivery, at=backend.clock.now(), error=FAILURE)


def end(backend: Backend, *endings: Ending) -> list[bool]:
    recorded = backend.store.settle(endings)
    backend.queue.ack([ending.delivery for ending in endings])
    return recorded


def planned(backend: Backend, *values: bytes) -> str:
    """The id of a request that was split into these parts."""
    delivery = received(backend, record())
    assert backend.store.plan(delivery, values)
    backend.queue.ack([delivery])
    return delivery.key.id


def test_a_new_record_is_added_and_can_be_read(backend: Backend) -> None:
    added = record(note="é\n😀")

    assert backend.store.add([added]) == [Added(added)]

    [stored] = backend.store.get([added.id]).values()
    assert json.loads(stored.body) == json.loads(added.body)
    assert msgspec.structs.replace(stored, body=added.body) == added


@pytest.mark.parametrize(
    "members",
    [
        rb'"n":1e100,"m":-0.12345678901234567890123456789012345678,"k":12345678901234567890123456789012345678',
        rb'"n":1.0,"zero":-0.0,"small":1e-130',
        b'"text":"\xc3\xa9 \xf0\x9f\x98\x80 \\u0000 \\" \\\\ \\u2028","":{"":[]}',
        b'"deep":[[[[[[[[{"a":[null,true,false,{}]}]]]]]]]]',
    ],
)
def test_what_was_sent_comes_back_equal(backend: Backend, members: bytes) -> None:
    sent = parse(b'{"id":"%b","action":"delay",%b}' % (new_id().encode(), members)).accepted(backend.clock.now())

    backend.store.add([sent])

    assert parse(backend.store.get([sent.id])[sent.id].body).fingerprint == sent.fingerprint


def test_the_trace_context_is_kept(backend: Backend) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    added = msgspec.structs.replace(record(), traceparent=trace)

    backend.store.add([added])

    assert backend.store.get([added.id])[added.id].traceparent == trace


def test_the_first_content_wins(backend: Backend) -> None:
    first = record(note="first")
    second = record(id=first.id, note="second")
    backend.store.add([first])

    assert backend.store.add([second]) == [Existing(first)]

    assert backend.store.get([first.id]) == {first.id: first}


def test_of_two_in_one_batch_the_first_wins(backend: Backend) -> None:
    first = record(note="first")
    second = record(id=first.id, note="second")

    assert backend.store.add([first, second, first]) == [Added(first), Existing(first), Existing(first)]


def test_a_batch_answers_in_order_whatever_was_there_before(backend: Backend) -> None:
    old = [record() for _ in range(3)]
    new = [record() for _ in range(3)]
    backend.store.add(old)

    additions = backend.store.add([old[0], new[0], old[1], new[1], new[2], old[2]])

    assert additions == [
        Existing(old[0]), Added(new[0]), Existing(old[1]), Added(new[1]), Added(new[2]), Existing(old[2]),
    ]  # fmt: skip


def test_a_batch_may_be_large(backend: Backend) -> None:
    records = [record() for _ in range(1_100)]

    assert backend.store.add(records) == [Added(one) for one in records]
    assert backend.store.add(records[::-1]) == [Existing(one) for one in records[::-1]]

    assert backend.store.get([one.id for one in records]) == {one.id: one for one in records}


def test_an_empty_batch_is_nothing(backend: Backend) -> None:
    assert backend.store.add([]) == []
    assert backend.store.settle([]) == []
    assert backend.store.get([]) == {}
    assert backend.store.parts([]) == {}
    assert backend.store.reopen([]) == []


def test_of_many_adding_one_id_at_once_one_adds(backend: Backend) -> None:
    contenders = 8
    id_ = new_id()
    barrier = threading.Barrier(contenders)

    def add(number: int) -> bool:
        barrier.wait()
        return isinstance(backend.store.add([record(id=id_, number=number)])[0], Added)

    with ThreadPoolExecutor(contenders) as pool:
        assert sum(pool.map(add, range(contenders))) == 1


def test_an_unknown_id_is_left_out(backend: Backend) -> None:
    added = record()
    backend.store.add([added])

    assert backend.store.get([new_id(), added.id]) == {added.id: added}


def test_a_finished_request_has_its_result_and_its_time(backend: Backend) -> None:
    added = record(backend.clock.now())
    delivery = received(backend, added)
    backend.pass_time(timedelta(seconds=2))

    assert end(backend, finished(backend, delivery, b'{"rows":3}')) == [True]

    assert backend.store.get([added.id])[added.id] == msgspec.structs.replace(
        added, status=Status.FINISHED, finished_at=backend.clock.now(), attempts=1, result=b'{"rows":3}'
    )


def test_a_failed_request_has_its_error_and_its_time(backend: Backend) -> None:
    added = record(backend.clock.now())

    assert end(backend, failed(backend, received(backend, added))) == [True]

    assert backend.store.get([added.id])[added.id] == msgspec.structs.replace(
        added, status=Status.FAILED, finished_at=backend.clock.now(), attempts=1, error=FAILURE
    )


def test_a_resubmission_sees_the_record_as_it_is_now(backend: Backend) -> None:
    added = record(backend.clock.now())
    end(backend, finished(backend, received(backend, added)))

    [addition] = backend.store.add([added])

    assert isinstance(addition, Existing)
    assert addition.record.status is Status.FINISHED
    assert receive(backend) == []


def test_an_ending_is_recorded_once(backend: Backend) -> None:
    added = record(backend.clock.now())
    delivery = received(backend, added)

    assert end(backend, finished(backend, delivery), failed(backend, delivery)) == [True, False]
    assert end(backend, failed(backend, delivery)) == [False]

    assert backend.store.get([added.id])[added.id].status is Status.FINISHED


def test_of_two_holders_one_records_the_ending(backend: Backend) -> None:
    added = record(backend.clock.now())
    late = received(backend, added)
    backend.lapse([late])
    [current] = receive(backend)

    recorded = [
        *end(backend, finished(backend, late, b'"late"')),
        *end(backend, finished(backend, current, b'"current"')),
    ]

    assert sorted(recorded) == [False, True]
    assert backend.store.get([added.id])[added.id].result == (b'"late"' if recorded[0] else b'"current"')


def test_it_never_ends_before_it_was_created(backend: Backend) -> None:
    added = record(backend.clock.now())
    delivery = received(backend, added)

    end(backend, Ending(delivery=delivery, at=added.created_at - timedelta(hours=1), result=b"1"))

    assert backend.store.get([added.id])[added.id].finished_at == added.created_at


def test_the_parts_exist_and_are_queued_and_the_request_waits(backend: Backend) -> None:
    id_ = planned(backend, b'"a"', b'"b"')

    assert [one.key for one in receive(backend)] == [Key(id_, 1), Key(id_, 2)]
    parts = backend.store.parts([Key(id_, 1), Key(id_, 2), Key(id_, 3)])
    assert {key.part: part.value for key, part in parts.items()} == {1: b'"a"', 2: b'"b"'}
    assert backend.store.get([id_])[id_].progress == Progress(parts=2, left=2, failed=0)


def test_many_parts_can_be_planned_and_read(backend: Backend) -> None:
    id_ = planned(backend, *(b"%d" % number for number in range(1_500)))
    keys = [Key(id_, part) for part in range(1, 1_501)]

    assert [part.value for part in backend.store.parts(keys).values()] == [b"%d" % number for number in range(1_500)]


def test_of_two_holders_one_plans(backend: Backend) -> None:
    late = received(backend, record())
    backend.lapse([late])
    [current] = receive(backend)

    done = [backend.store.plan(late, [b'"late"']), backend.store.plan(current, [b'"current"', b'"current"'])]

    assert sorted(done) == [False, True]
    progress = backend.store.get([late.key.id])[late.key.id].progress
    assert progress is not None
    assert progress.parts == (1 if done[0] else 2)


def test_a_plan_is_made_once(backend: Backend) -> None:
    delivery = received(backend, record())

    assert backend.store.plan(delivery, [b"1"])
    assert not backend.store.plan(delivery, [b"1", b"2"])

    assert Key(delivery.key.id, 2) not in backend.store.parts([Key(delivery.key.id, 2)])


def test_what_is_to_be_merged_is_not_planned_again(backend: Backend) -> None:
    id_ = planned(backend)
    [merge] = receive(backend)

    assert not backend.store.plan(merge, [])

    assert end(backend, finished(backend, merge)) == [True]
    assert backend.store.get([id_])[id_].status is Status.FINISHED


def test_without_parts_the_request_is_due_for_its_merge(backend: Backend) -> None:
    id_ = planned(backend)

    [delivery] = receive(backend)

    assert delivery.key == Key(id_)
    assert delivery.attempt == 1
    assert backend.store.get([id_])[id_].progress == Progress(parts=0, left=0, failed=0)


def test_the_last_part_queues_the_merge_once(backend: Backend) -> None:
    id_ = planned(backend, b"1", b"2", b"3")
    first, second, third = receive(backend)

    end(backend, finished(backend, third))
    end(backend, finished(backend, first))
    assert receive(backend) == []
    end(backend, finished(backend, second), finished(backend, first))

    [merge] = receive(backend)
    assert (merge.key, merge.attempt) == (Key(id_), 1)
    assert backend.store.get([id_])[id_].progress == Progress(parts=3, left=0, failed=0)


def test_the_ending_of_a_part_is_recorded_once(backend: Backend) -> None:
    id_ = planned(backend, b"1", b"2")
    first, _ = receive(backend)

    assert end(backend, finished(backend, first, b"10")) == [True]
    assert end(backend, failed(backend, first)) == [False]

    part = backend.store.parts([Key(id_, 1)])[Key(id_, 1)]
    assert (part.status, part.result, part.attempts) == (Status.FINISHED, b"10", 1)
    assert backend.store.get([id_])[id_].progress == Progress(parts=2, left=1, failed=0)


def test_parts_ended_by_many_at_once_queue_one_merge(backend: Backend) -> None:
    id_ = planned(backend, *(b"%d" % number for number in range(40)))
    deliveries = receive(backend)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda one: end(backend, finished(backend, one))[0], deliveries))

    assert [one.key for one in receive(backend)] == [Key(id_)]


def test_failed_parts_are_counted(backend: Backend) -> None:
    id_ = planned(backend, b"1", b"2")
    first, second = receive(backend)

    end(backend, failed(backend, first), finished(backend, second))

    assert backend.store.get([id_])[id_].progress == Progress(parts=2, left=0, failed=1)
    part = backend.store.parts([Key(id_, 1)])[Key(id_, 1)]
    assert (part.status, part.error) == (Status.FAILED, FAILURE)


def test_a_failed_request_can_be_reopened(backend: Backend) -> None:
    added = record(backend.clock.now())
    end(backend, failed(backend, received(backend, added)))

    assert backend.store.reopen([added.id]) == [True]

    assert backend.store.get([added.id]) == {added.id: added}
    [again] = receive(backend)
    assert again.attempt == 1
    assert end(backend, finished(backend, again)) == [True]


def test_what_was_delivered_before_it_was_reopened_ends_it_no_more(backend: Backend) -> None:
    added = record(backend.clock.now())
    late = received(backend, added)
    backend.lapse([late])
    end(backend, failed(backend, receive(backend)[0]))
    backend.store.reopen([added.id])

    assert end(backend, finished(backend, late), failed(backend, late)) == [False, False]
    assert not backend.store.plan(late, [b"1"])

    [again] = receive(backend)
    assert end(backend, finished(backend, again)) == [True]


def test_only_a_failed_request_can_be_reopened(backend: Backend) -> None:
    done, waiting = record(), record()
    end(backend, finished(backend, received(backend, done)))
    backend.store.add([waiting])

    assert backend.store.reopen([done.id, waiting.id, new_id()]) == [False, False, False]


def test_of_a_split_request_only_the_failed_parts_are_reopened(backend: Backend) -> None:
    id_ = planned(backend, b"1", b"2", b"3")
    first, second, third = receive(backend)
    end(backend, failed(backend, first), finished(backend, second, b"20"), failed(backend, third))
    end(backend, failed(backend, receive(backend)[0]))

    assert backend.store.reopen([id_]) == [True]

    again = receive(backend)
    assert [one.key for one in again] == [Key(id_, 1), Key(id_, 3)]
    assert backend.store.get([id_])[id_].progress == Progress(parts=3, left=2, failed=0)
    end(backend, *(finished(backend, one) for one in again))
    assert [one.key for one in receive(backend)] == [Key(id_)]
    assert backend.store.parts([Key(id_, 2)])[Key(id_, 2)].result == b"20"


def test_a_split_request_whose_merge_failed_is_merged_again(backend: Backend) -> None:
    id_ = planned(backend, b"1")
    end(backend, finished(backend, receive(backend)[0]))
    end(backend, failed(backend, receive(backend)[0]))

    assert backend.store.reopen([id_]) == [True]

    [again] = receive(backend)
    assert (again.key, again.attempt) == (Key(id_), 1)
    assert backend.store.get([id_])[id_].progress == Progress(parts=1, left=0, failed=0)
