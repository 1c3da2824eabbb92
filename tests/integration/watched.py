"""The ops plane on a real socket, over any store."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import httpx
import msgspec

from acuse import Action
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.application.actions import Catalogue
from acuse.config import Settings
from acuse.delay import Delay
from acuse.domain.delivery import Ending
from acuse.domain.record import Failure, Reason
from acuse.entrypoints.ops.app import ops_app
from acuse.entrypoints.ops.health import Health
from tests.integration.server import hosted
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from acuse.domain.record import Record
    from acuse.ports import Clock, Keyring, Overview, Store
    from tests.contract.backend import Backend

AT_ONCE = timedelta(0)
READY = {"intake": 0.1}
FORM = {"sec-fetch-site": "same-origin"}
"""What a browser sends with a form of the page."""


class Limited(Action, tag="limited"):
    """Another action, which the queues of the contract suite know too."""

    def run(self) -> None: ...


class Watched:
    """Where the page finds what it shows."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self.settings = settings
        self.clock: Clock = backend.clock
        self.catalogue = Catalogue([Delay, Limited])
        self.store: Store = backend.store
        self.overview: Overview = backend.overview
        self.keyring: Keyring = MemoryKeyring()


@contextmanager
def watched(
    backend: Backend, settings: Settings | None = None, ages: Mapping[str, float] = READY
) -> Iterator[tuple[httpx.Client, Watched]]:
    """A client of the ops plane, and what it looks at."""
    chosen = settings or Settings()
    sources = Watched(backend, chosen)
    with (
        hosted(lambda: ops_app(sources, Health(lambda: ages), lambda: "{}"), chosen) as (where, _),
        httpx.Client(base_url="http://{}:{}".format(*where), timeout=60) as client,
    ):
        yield client, sources


def added(backend: Backend, **members: object) -> Record:
    """A request that was accepted now."""
    made = record(backend.clock.now(), **members)
    backend.store.add([made])
    return made


def ended(backend: Backend, sent: Record, *, result: object = None, detail: str | None = None) -> Record:
    """The same, ended now: failed if there is a detail of it."""
    (delivery,) = backend.queue.receive(1, AT_ONCE)
    assert delivery.key.id == sent.id, "what was added before is to be ended before"
    ending = Ending(
        delivery=delivery,
        at=backend.clock.now(),
        result=msgspec.json.encode(result) if detail is None else None,
        error=None if detail is None else Failure(Reason.RAISED, detail),
    )
    assert backend.store.settle([ending]) == [True]
    backend.queue.ack([delivery])
    return backend.store.get([sent.id])[sent.id]


def split(backend: Backend, parts: int, failing: int = 0) -> Record:
    """A request with so many parts, that were three seconds under way: the first ones failed, or the last still is."""
    sent = added(backend, parts=parts)
    (delivery,) = backend.queue.receive(1, AT_ONCE)
    assert backend.store.plan(delivery, [msgspec.json.encode(part) for part in range(1, parts + 1)])
    backend.pass_time(timedelta(seconds=3))
    at, bad = backend.clock.now(), Failure(Reason.RAISED, "ValueError: bad part")
    endings = [
        Ending(delivery=one, at=at, error=bad) if one.key.part <= failing else Ending(delivery=one, at=at, result=b"1")
        for one in backend.queue.receive(parts, AT_ONCE)
        if failing or one.key.part < parts
    ]
    assert all(backend.store.settle(endings))
    return sent


def ids(response: httpx.Response) -> list[str]:
    """Of the requests that the page leads to, in order."""
    return re.findall(r'<a class="id" href="/requests/([0-9a-f-]{36})">', response.text)


def link(response: httpx.Response, rel: str) -> str | None:
    """Where the page leads to by that name."""
    for href, found in re.findall(r'<a href="([^"]*)" rel="(\w+)"', response.text):
        if found == rel:
            return unescape(href)
    return None


def plain(response: httpx.Response) -> str:
    """What is read on the page: no marks, each run of white space as one."""
    main = response.text[response.text.index("<main") : response.text.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())
