"""The public plane on a real socket, over any store."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import uvloop

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.application.observing import ignore
from acuse.bootstrap import load_catalogue
from acuse.config import Settings
from acuse.entrypoints.api.app import Api
from acuse.entrypoints.server import server
from tests.unit.desk import GatedStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import uvicorn

    from acuse.domain.event import Observe
    from acuse.ports import Keyring, Store


@contextmanager
def served(store: Store, settings: Settings | None = None, keyring: Keyring | None = None) -> Iterator[tuple[str, int]]:
    """The address at which it is served."""
    with serving(store, settings, keyring) as (address, _):
        yield address


@contextmanager
def serving(
    store: Store, settings: Settings | None = None, keyring: Keyring | None = None, observe: Observe = ignore
) -> Iterator[tuple[tuple[str, int], uvicorn.Server]]:
    """The same, and the server."""
    chosen = settings or Settings()

    def make() -> Api:
        known = keyring or MemoryKeyring()
        return Api(store, known, SystemClock(), load_catalogue([]), chosen, lambda: None, observe=observe)

    with hosted(make, chosen, observe=observe) as found:
        yield found


@contextmanager
def hosted(
    make: Callable[[], Any], settings: Settings, close: Callable[[], None] = lambda: None, *, observe: Observe = ignore
) -> Iterator[tuple[tuple[str, int], uvicorn.Server]]:
    """Any app: the address at which it is served, and the server. `close` is called while the loop still runs."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    running: Future[uvicorn.Server] = Future()

    async def main() -> None:
        app = make()
        if isinstance(app, Api):
            app.start()
        http = server(app, settings, app.hurry if isinstance(app, Api) else lambda: None, observe)
        running.set_result(http)
        await http.serve(sockets=[listening])
        if isinstance(app, Api):
            await asyncio.to_thread(app.close)
        await asyncio.to_thread(close)

    thread = Thread(target=lambda: uvloop.run(main()))
    thread.start()
    try:
        yield listening.getsockname()[:2], running.result(30)
    finally:
        running.result(30).should_exit = True
        thread.join()


@contextmanager
def gated(settings: Settings, **changed: int) -> Iterator[tuple[GatedStore, httpx.Client]]:
    """A store that waits at its gate, and a client of the service over it."""
    store = GatedStore()
    chosen = msgspec.structs.replace(settings, **changed)
    with served(store, chosen) as where, httpx.Client(base_url="http://{}:{}".format(*where), timeout=60) as client:
        yield store, client
        store.gate.release(1_000)
