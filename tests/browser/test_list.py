"""The list of requests: all of them page by page, and those that are looked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.service import Running
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.browser.conftest import Open

COUNT = 250


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("service") / "data"
    with Running(data, "--workers", 1) as service:
        yield service


@pytest.fixture(scope="module")
def sent(service: Running) -> list[str]:
    """The ids, in the order in which they were sent; all have ended: the first as failed, then echoes, then delays."""
    requests: list[dict[str, Any]] = [{"id": new_id(), "action": "echo"} for _ in range(COUNT - 2)]
    requests.insert(0, {"id": new_id(), "action": "misbehaves", "how": "refuses"})
    requests.append({"id": new_id(), "action": "delay", "seconds": 0})
    answer = service.client.post(service.url, json=requests)
    assert answer.json()["totals"]["accepted"] == COUNT
    for request in requests:
        service.ended(request)
    return [request["id"] for request in requests]


def test_every_request_is_on_one_page_newest_first(service: Running, visit: Open, sent: list[str]) -> None:
    page = visit(f"{service.ops}/requests")
    assert page.locator("caption").text_content() == "50 requests, newest first"
    found = ids(page)
    for _ in range(4):
        page.get_by_role("link", name="Next page").click()
        expect(page.get_by_role("link", name=found[-1])).to_have_count(0)
        found += ids(page)

    assert found == sent[::-1]
    expect(page.get_by_role("link", name="Next page")).to_have_count(0)
    page.get_by_role("link", name="First page").click()
    expect(page.locator("tbody tr").first).to_contain_text(sent[-1])


def test_a_filter_shows_what_is_looked_for_and_stays_from_page_to_page(
    service: Running, visit: Open, sent: list[str]
) -> None:
    page = visit(f"{service.ops}/requests")

    page.get_by_label("Action").select_option("echo")
    page.get_by_label("Status").select_option("finished")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr").first).to_contain_text(sent[-2])
    page.get_by_role("link", name="Next page").click()

    expect(page).to_have_url(re.compile("action=echo.*after="))
    expect(page.get_by_label("Action")).to_have_value("echo")
    expect(page.get_by_label("Status")).to_have_value("finished")
    assert ids(page) == sent[-52:-102:-1]


def test_the_failed_ones_are_a_click_away(service: Running, visit: Open, sent: list[str]) -> None:
    page = visit(service.ops)
    page.get_by_role("link", name="Failed", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Failed requests")
    assert ids(page) == sent[:1]
    expect(page.locator("tbody tr")).to_contain_text("refused no such thing")
    expect(page.get_by_role("link", name="Failed", exact=True)).to_have_attribute("aria-current", "page")


def test_an_action_leads_to_its_requests(service: Running, visit: Open, sent: list[str]) -> None:
    page = visit(service.ops)
    page.get_by_role("link", name="delay", exact=True).click()

    expect(page.get_by_label("Action")).to_have_value("delay")
    assert ids(page) == sent[-1:]


def test_what_was_created_at_another_time_is_left_out(service: Running, visit: Open, sent: list[str]) -> None:
    page = visit(f"{service.ops}/requests")
    page.get_by_label("Created before, UTC").fill("2020-01-31T12:00")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("main")).to_contain_text("No request is like that.")

    page.get_by_label("Created before, UTC").fill("")
    page.get_by_label("Created from, UTC").fill("2020-01-31T12:00")
    page.get_by_role("button", name="Show").click()
    assert ids(page) == sent[:-51:-1]


def test_a_request_is_found_by_its_id(service: Running, visit: Open, sent: list[str]) -> None:
    page = visit(f"{service.ops}/requests")
    field = page.get_by_role("textbox", name="Id")
    field.fill(f" {sent[7].upper()} ")
    field.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text(sent[7])


def ids(page: Page) -> list[str]:
    """Of the requests on this page of the list, once it is all there."""
    page.wait_for_load_state()
    return page.locator("tbody .id").all_text_contents()
