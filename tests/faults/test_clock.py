"""A clock that is set, where the store knows who holds what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.contract.test_queue import BOUND, HOUR, added, receive

if TYPE_CHECKING:
    from tests.contract.backend import Backend


def test_leases_from_before_the_clock_was_set_back_use_up_no_bound(backend: Backend) -> None:
    keys = added(backend, BOUND, action="limited")
    receive(backend)
    added(backend, 2, action="limited")
    backend.set_clock(-HOUR)

    assert sorted(one.key for one in receive(backend)) == keys
    assert receive(backend) == []


def test_what_was_leased_or_delayed_is_due_when_the_clock_is_set_forward(backend: Backend) -> None:
    keys = added(backend, 3)
    held = receive(backend, 2)
    backend.queue.release(held[:1], timedelta(minutes=30), charged=True)

    backend.set_clock(HOUR)

    assert sorted(one.key for one in receive(backend)) == keys
