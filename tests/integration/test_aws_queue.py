"""What is SQS's own: a lease that ran out unseen, and what a worker makes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.aws.gate import Gate
from tests.contract.aws import aws
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.aws import Aws

LEASE = timedelta(seconds=10)
NOW = timedelta(0)


@pytest.fixture
def backend() -> Iterator[Aws]:
    with aws(LEASE, {"delay": None}) as made:
        yield made


def test_what_was_held_too_long_is_not_given_back_beside_what_is_due_again(backend: Aws) -> None:
    backend.store.add([record(backend.clock.now())])
    [late] = backend.queue.receive(10, NOW)
    backend.pass_time(LEASE)

    backend.queue.release([late], NOW, charged=False)
    backend.queue.extend([late])

    [again] = backend.queue.receive(10, NOW)
    assert (again.attempt, again.was_cut_off) == (2, True)


def test_a_renewal_that_the_queue_refuses_is_no_lease(backend: Aws) -> None:
    backend.store.add([record(backend.clock.now())])
    [held] = backend.queue.receive(10, NOW)
    backend.sqs.purge_queue(QueueUrl=backend.url)

    backend.queue.extend([held])
    backend.queue.release([held], NOW, charged=True)

    assert backend.queue.receive(10, NOW) == []


def test_a_long_delay_takes_several_messages_and_no_attempt(backend: Aws) -> None:
    backend.store.add([record(backend.clock.now())])
    [first] = backend.queue.receive(10, NOW)
    backend.queue.release([first], timedelta(hours=1), charged=True)

    for _ in range(3):
        backend.pass_time(timedelta(minutes=15))
        assert backend.queue.receive(10, NOW) == []

    backend.pass_time(timedelta(minutes=15))
    [second] = backend.queue.receive(10, NOW)
    assert (second.attempt, second.was_cut_off) == (2, False)


def test_no_more_is_let_in_than_there_is_time_for(backend: Aws) -> None:
    backend.store.add([record(backend.clock.now()) for _ in range(10)])

    class Slow(Gate):
        def enter(self, *arguments: Any) -> timedelta | None:
            backend.clock.advance(LEASE / 5)
            return super().enter(*arguments)

    backend.queue._gate = Slow(backend.permits, backend.clock, bounds={"delay": None}, postpone=NOW)

    first = backend.queue.receive(10, NOW)
    backend.queue.extend(first)

    assert len(first) == 3
    assert len(backend.queue.receive(10, NOW)) == 3
