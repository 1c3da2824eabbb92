"""Every page, with data and without, in light and in dark, on a wide screen and on a narrow one.

Dark pages are light ones in other colours: there, only these are looked at, and on one screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from acuse.bootstrap import Service
from acuse.config import Settings
from tests.browser.pages import pages
from tests.browser.past import Past

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.conftest import Open
    from tests.browser.watch import Watch

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
REFUSED, NOWHERE = "/requests?since=never", "/nowhere"
EMPTY = ("/", "/requests?status=failed", REFUSED, NOWHERE)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("past") / "data")


@pytest.fixture(scope="module")
def busy(past: Past) -> Iterator[str]:
    """The address of the pages of a busy service."""
    with pages(past.service) as address:
        yield address


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pages of a service that was never sent anything, and has a worker that is silent."""
    service = Service(Settings(data=tmp_path_factory.mktemp("empty")))
    with pages(service, silent=20.0) as address:
        yield address


@pytest.mark.parametrize(
    ("scheme", "viewport"),
    [("light", WIDE), ("light", NARROW), ("dark", WIDE)],
    ids=["light-wide", "light-narrow", "dark"],
)
def test_everybody_can_use_the_pages(
    busy: str, empty: str, past: Past, visit: Open, watches: list[Watch], scheme: str, viewport: dict[str, int]
) -> None:
    paths = ("/", "/requests", f"/requests/{past.flights}", f"/requests/{past.stock}")
    for address in (busy, empty):
        page = visit(address, color_scheme=scheme, viewport=viewport)
        for path in paths if address == busy else EMPTY:
            page.goto(f"{address}{path}")
            for summary in page.locator("summary").all():
                summary.click()

            assert violations(page, *(["color-contrast"] if scheme == "dark" else [])) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path

    assert [trouble for trouble in watches[1].troubles if trouble.startswith("GET")] == [
        f"GET {empty}{REFUSED}: 400",
        f"GET {empty}{NOWHERE}: 404",
    ]
    watches[1].troubles.clear()


@pytest.mark.parametrize("width", [390, 768, 1024])
def test_no_button_to_run_again_is_out_of_sight(busy: str, visit: Open, width: int) -> None:
    page = visit(busy, viewport={"width": width, "height": 900})
    for path in ("/", "/requests?status=failed"):
        page.goto(f"{busy}{path}")
        boxes = [button.bounding_box() for button in page.locator(".again").all()]

        assert boxes
        assert all(box and box["x"] + box["width"] < width for box in boxes), path


def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds, by rule and place. Without rules: by all that there are."""
    page.evaluate(Axe().axe_script)
    options = {"runOnly": list(rules)} if rules else {}
    # What passes is much, and would all be sent here, as Axe.run does.
    found = page.evaluate("(options) => axe.run(options).then((found) => found.violations)", options)
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]
