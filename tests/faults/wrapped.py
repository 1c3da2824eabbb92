"""A backend of the contract suite with another store and queue before its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acuse.ports import Queue, Store
    from tests.contract.backend import Backend


class Wrapped:
    """See Backend."""

    def __init__(self, inner: Backend, store: Store, queue: Queue) -> None:
        self.store = store
        self.queue = queue
        self.keyring = inner.keyring
        self.overview = inner.overview
        self.overview = inner.overview
        self.clock = inner.clock
        self.fences = inner.fences
        self.counts_when_received = inner.counts_when_received
        self.orders = inner.orders
        self.tells_actions = inner.tells_actions
        self.orders = inner.orders
        self.tells_actions = inner.tells_actions
        self.pass_time = inner.pass_time
        self.lapse = inner.lapse
        self.set_clock = inner.set_clock
