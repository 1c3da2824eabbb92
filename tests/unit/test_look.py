"""What one look reads of a store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from acuse.config import Settings
from acuse.domain.listing import Filter, Order, Page
from acuse.entrypoints.ops import look as module
from acuse.entrypoints.ops import shared
from acuse.entrypoints.ops.look import SCAN_REST_SECONDS, Look
from tests.contract.backend import memory
from tests.integration.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from acuse.domain.backlog import Backlog
    from acuse.domain.tally import Tally
    from acuse.ports import Overview


class Counted:
    """An overview that lists in the order it is told, and counts how often it had to."""

    def __init__(self, inner: Overview, order: Order) -> None:
        self._inner = inner
        self._order = order
        self.lists = 0

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        self.lists += 1
        return msgspec.structs.replace(self._inner.find(wanted, limit, after), order=self._order)

    def backlog(self) -> Backlog:
        return self._inner.backlog()

    def tallies(self, since: datetime) -> list[Tally]:
        return self._inner.tallies(since)


class Broken(Counted):
    def backlog(self) -> Backlog:
        raise LookupError


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Watched]:
    with memory(tmp_path) as backend:
        yield Watched(backend, Settings())


@pytest.mark.parametrize(("order", "lists"), [(Order.NONE, 2), (Order.NEWEST, 4), (Order.LAST_FAILED, 4)])
def test_a_store_that_must_scan_for_what_failed_is_asked_for_it_seldom(
    sources: Watched, order: Order, lists: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    for one in (module, shared):
        monkeypatch.setattr(one, "monotonic", lambda: now)
    counted = sources.overview = Counted(sources.overview, order)

    async def looks() -> None:
        nonlocal now
        look = Look(sources)
        for seconds in (0.0, 100.0, SCAN_REST_SECONDS - 101, 2.0):
            now += seconds
            seen = await look.seen()
            assert (seen.away, seen.order) == (None, order)

    asyncio.run(looks())
    assert counted.lists == lists


def test_what_nobody_foresaw_is_told_and_not_thrown(sources: Watched) -> None:
    sources.overview = Broken(sources.overview, Order.NEWEST)

    async def away() -> str | None:
        return (await Look(sources).seen()).away

    assert asyncio.run(away()) == "it failed in an unforeseen way"
