"""The pages over a store that holds much."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.store import SqliteStore
from acuse.bootstrap import DATABASE, Service
from acuse.config import Settings
from tests.browser.pages import pages
from tests.clock import StillClock
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.conftest import Open

COUNT = 100_000
BATCH = 5_000
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages over a store of that many requests, none of which has ended."""
    settings = Settings(data=tmp_path_factory.mktemp("service"))
    service, clock = Service(settings), StillClock()
    service.clock, clock.time = clock, NOW
    store = SqliteStore(Database(settings.data / DATABASE, durable=False, busy=settings.busy), clock)
    for first in range(0, COUNT, BATCH):
        store.add([record(NOW - timedelta(seconds=(COUNT - number) / 100)) for number in range(first, first + BATCH)])
    with pages(service) as address:
        yield address


def test_a_hundred_thousand_requests_are_told_of_and_listed(ops: str, visit: Open) -> None:
    page = visit(ops)
    expect(page.get_by_role("heading", level=1)).to_have_text("Attention")
    expect(page.locator(".figure").nth(3)).to_contain_text("100,000")

    page.get_by_role("link", name="Requests", exact=True).click()
    seen = page.locator("tbody .id").all_text_contents()
    for _ in range(3):
        page.get_by_role("link", name="Next page").click()
        expect(page.get_by_role("link", name=seen[-1])).to_have_count(0)
        seen += page.locator("tbody .id").all_text_contents()

    assert len(set(seen)) == 200
