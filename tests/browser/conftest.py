"""A browser for each module, and a fresh profile for each page that a test opens."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, expect, sync_playwright

from tests.acceptance.service import PATIENCE_SECONDS
from tests.browser.chromium import FLAGS, NoChromium, find
from tests.browser.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TEST_SECONDS = 120


class Open(Protocol):
    """Opens a page."""

    def __call__(self, url: str, **options: Any) -> Page:
        """The page at the address, in a profile of its own, with those options of a context."""


class Found(msgspec.Struct, frozen=True):
    """What came of the search for a Chromium."""

    path: str | None
    trouble: str = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser may have to be fetched first, and that takes its time: only the tests themselves are measured."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a Chromium. Of all the processes that run tests, the first looks for it, and installs it."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    book = shared / "chromium.json"
    with (shared / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not book.exists():
            book.write_bytes(msgspec.json.encode(_look()))
    found = msgspec.json.decode(book.read_bytes(), type=Found)
    if found.path is None:
        pytest.fail(found.trouble, pytrace=False)
    return Path(found.path)


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    """It lasts no longer than its module: as long as it is there, no other loop can run in this thread."""
    with sync_playwright() as playwright:
        browser = launched(playwright, chromium)
        expect.set_options(PATIENCE_SECONDS * 1_000)
        yield browser
        browser.close()


@pytest.fixture
def watches() -> list[Watch]:
    """What was seen of each page that was opened, in that order."""
    return []


@pytest.fixture
def visit(browser: Browser, watches: list[Watch]) -> Iterator[Open]:
    """Opens pages. When the test has ended, none of them may have made trouble."""
    contexts: list[BrowserContext] = []

    def opened(url: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_SECONDS * 1_000)
        parts = urlsplit(url)
        watches.append(Watch(context, f"{parts.scheme}://{parts.netloc}"))
        page = context.new_page()
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [trouble for watch in watches for trouble in watch.troubles] == []


def launched(playwright: Playwright, path: Path) -> Browser:
    """The browser runs, in its sandbox if it can have one."""
    is_root = os.geteuid() == 0
    start = playwright.chromium.launch
    try:
        return start(executable_path=path, args=FLAGS, chromium_sandbox=not is_root)
    except Error as error:
        if is_root or "sandbox" not in error.message:
            raise
        return start(executable_path=path, args=FLAGS, chromium_sandbox=False)


def _look() -> Found:
    try:
        return Found(str(find(os.environ, is_root=os.geteuid() == 0)))
    except NoChromium as trouble:
        return Found(None, str(trouble))
