"""What every Store does with records that are to be stored all together or not at all."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from acuse.domain.delivery import Ending
from acuse.domain.outcome import Added, Conflict, Existing, Together, Withheld
from acuse.domain.record import MAX_TOGETHER, MAX_TOGETHER_BYTES, Status
from tests.requests import new_id, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.domain.record import Record
    from tests.contract.backend import Backend

NOW = timedelta(0)


def due(backend: Backend, limit: int = 1_000) -> list[str]:
    found: list[str] = []
    while received := backend.queue.receive(limit, NOW):
        found += [one.key.id for one in received]
    return sorted(found)


def ids(records: Sequence[Record]) -> list[str]:
    return [one.id for one in records]


def test_records_that_are_all_new_are_all_added_and_queued(backend: Backend) -> None:
    records = [record(note=number) for number in range(3)]

    assert backend.store.add_together(records) == [Added(one) for one in records]

    assert backend.store.get(ids(records)) == {one.id: one for one in records}
    assert due(backend) == ids(records)


def test_nothing_is_added_where_one_is_there_with_other_content(backend: Backend) -> None:
    there = record(note="first")
    backend.store.add([there])
    records = [record(), record(id=there.id, note="second"), record()]

    assert backend.store.add_together(records) == [Withheld(), Conflict(there), Withheld()]

    assert backend.store.get(ids(records)) == {there.id: there}
    assert due(backend) == [there.id]


@pytest.mark.parametrize("place", [0, 49, 99])
def test_one_conflict_anywhere_withholds_all_the_others(backend: Backend, place: int) -> None:
    records = [record(note="new") for _ in range(MAX_TOGETHER)]
    there = record(id=records[place].id, note="old")
    backend.store.add([there])

    answers = backend.store.add_together(records)

    assert answers.pop(place) == Conflict(there)
    assert answers == [Withheld()] * (MAX_TOGETHER - 1)
    assert backend.store.get(ids(records)) == {there.id: there}


def test_what_is_there_with_equal_content_does_not_keep_the_others_out(backend: Backend) -> None:
    old = [record() for _ in range(2)]
    new = [record() for _ in range(2)]
    backend.store.add(old)

    answers = backend.store.add_together([old[0], new[0], old[1], new[1]])

    assert answers == [Existing(old[0]), Added(new[0]), Existing(old[1]), Added(new[1])]
    assert backend.store.get(ids(old + new)) == {one.id: one for one in old + new}


def test_what_is_there_is_told_as_it_is_now(backend: Backend) -> None:
    old, other = record(), record(note="other")
    backend.store.add([old])
    [delivery] = backend.queue.receive(1, NOW)
    backend.store.settle([Ending(delivery=delivery, at=backend.clock.now(), result=b"7")])
    backend.queue.ack([delivery])
    sent_again = msgspec.structs.replace(old, created_at=old.created_at + timedelta(days=1))

    existing, added = backend.store.add_together([sent_again, other])
    conflict, withheld = backend.store.add_together([record(id=old.id, note="changed"), record()])

    assert isinstance(existing, Existing)
    assert (existing.record.status, existing.record.result) == (Status.FINISHED, b"7")
    assert existing.record.created_at == old.created_at
    assert added == Added(other)
    assert conflict == Conflict(existing.record)
    assert withheld == Withheld()


def test_what_is_there_stays_told_where_another_is_in_conflict(backend: Backend) -> None:
    old, disputed = record(), record(note="first")
    backend.store.add([old, disputed])

    answers = backend.store.add_together([old, record(), record(id=disputed.id, note="second")])

    assert answers == [Existing(old), Withheld(), Conflict(disputed)]


def test_it_is_safe_to_repeat(backend: Backend) -> None:
    records = [record() for _ in range(3)]
    backend.store.add_together(records)

    assert backend.store.add_together(records) == [Existing(one) for one in records]

    assert due(backend) == ids(records)


def test_what_was_withheld_can_be_added_later(backend: Backend) -> None:
    there, new = record(note="first"), record()
    backend.store.add([there])
    assert backend.store.add_together([new, record(id=there.id, note="second")]) == [Withheld(), Conflict(there)]

    assert backend.store.add_together([new]) == [Added(new)]

    assert due(backend) == sorted([there.id, new.id])


def test_of_two_alike_in_one_batch_the_second_meets_the_first(backend: Backend) -> None:
    one, other = record(), record()
    later = msgspec.structs.replace(one, created_at=one.created_at + timedelta(days=1))

    answers = backend.store.add_together([one, other, one, later])

    assert answers == [Added(one), Added(other), Existing(one), Existing(one)]
    assert backend.store.get([one.id]) == {one.id: one}
    assert due(backend) == [one.id, other.id]


def test_two_with_one_id_and_other_content_in_one_batch_are_a_conflict(backend: Backend) -> None:
    one, other = record(note="first"), record()
    differing = record(id=one.id, note="second")

    answers = backend.store.add_together([one, other, one, differing])

    assert answers == [Withheld(), Withheld(), Withheld(), Conflict(one)]
    assert backend.store.get(ids([one, other])) == {}
    assert due(backend) == []


def test_two_with_one_id_may_meet_one_that_is_there(backend: Backend) -> None:
    there = record(note="first")
    differing = record(id=there.id, note="second")
    backend.store.add([there])

    assert backend.store.add_together([there, there]) == [Existing(there), Existing(there)]
    assert backend.store.add_together([differing, there]) == [Conflict(there), Existing(there)]


def test_an_empty_batch_is_nothing_together(backend: Backend) -> None:
    assert backend.store.add_together([]) == []


def test_as_many_and_as_large_as_they_may_be_are_added(backend: Backend) -> None:
    records = [record(note="x" * 19_900) for _ in range(MAX_TOGETHER)]
    assert 0.99 * MAX_TOGETHER_BYTES < sum(len(one.body) for one in records) <= MAX_TOGETHER_BYTES

    assert backend.store.add_together(records) == [Added(one) for one in records]

    assert backend.store.get(ids(records)) == {one.id: one for one in records}


def test_the_trace_context_is_kept_together_as_alone(backend: Backend) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    added = msgspec.structs.replace(record(), traceparent=trace)

    backend.store.add_together([added])

    assert backend.store.get([added.id]) == {added.id: added}


def at_once(backend: Backend, batches: Sequence[Sequence[Record]]) -> list[list[Together]]:
    barrier = threading.Barrier(len(batches))

    def add(batch: Sequence[Record]) -> list[Together]:
        barrier.wait()
        return backend.store.add_together(batch)

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(add, batches))


def test_of_many_adding_overlapping_batches_at_once_each_id_is_added_once(backend: Backend) -> None:
    records = [record() for _ in range(24)]
    batches = [[records[(start + step) % 24] for step in range(12)] for start in range(0, 24, 4)]

    answers = at_once(backend, batches)

    added = Counter(one.record.id for batch in answers for one in batch if isinstance(one, Added))
    assert added == dict.fromkeys(ids(records), 1)
    for batch, answer in zip(batches, answers, strict=True):
        assert answer == [Added(one) if isinstance(said, Added) else Existing(one) for one, said in zip(batch, answer)]  # noqa: B905
    assert due(backend) == ids(records)


def test_of_many_in_dispute_at_once_each_is_there_as_a_whole_or_not_at_all(backend: Backend) -> None:
    """Each batch has records of its own, and one id that all of them want with other content."""
    disputed = new_id()
    batches = [[record(note=number), record(id=disputed, note=number), record(note=number)] for number in range(6)]

    answers = at_once(backend, batches)

    [winner] = [number for number, answer in enumerate(answers) if answer == [Added(one) for one in batches[number]]]
    for number, answer in enumerate(answers):
        if number != winner:
            assert answer == [Withheld(), Conflict(batches[winner][1]), Withheld()]
    everything = [one.id for batch in batches for one in batch]
    assert backend.store.get(everything) == {one.id: one for one in batches[winner]}
    assert due(backend) == sorted(ids(batches[winner]))


def test_with_others_that_add_alone_at_once_it_is_still_all_or_none(backend: Backend) -> None:
    batch = [record(note="together") for _ in range(6)]
    rivals = [record(id=one.id, note="alone") for one in batch]
    barrier = threading.Barrier(2)

    def add_alone() -> list[bool]:
        barrier.wait()
        return [isinstance(backend.store.add([rival])[0], Added) for rival in rivals]

    with ThreadPoolExecutor(1) as pool:
        alone = pool.submit(add_alone)
        barrier.wait()
        answers = backend.store.add_together(batch)
        first = alone.result()

    stored = backend.store.get(ids(batch))
    if answers == [Added(one) for one in batch]:
        assert first == [False] * 6
        assert stored == {one.id: one for one in batch}
    else:
        assert all(isinstance(one, Conflict | Withheld) for one in answers)
        assert first == [True] * 6
        assert stored == {one.id: one for one in rivals}
