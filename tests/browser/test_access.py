"""Who may look where keys are asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.acceptance.service import Running, acuse, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.conftest import Open
    from tests.browser.watch import Watch


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service") / "data"


@pytest.fixture(scope="module")
def key(data: Path) -> str:
    """The only one."""
    return acuse("keys", "new", "operator", data=data).stdout.strip()


@pytest.fixture(scope="module")
def service(data: Path, key: str) -> Iterator[Running]:
    with Running(data, "--workers", 1) as service:
        service.client.headers["authorization"] = f"Bearer {key}"
        yield service


def test_with_a_key_the_page_goes_on_and_a_failure_runs_again(service: Running, visit: Open, key: str) -> None:
    sent = service.accept(action="misbehaves", how="refuses")
    service.ended(sent)
    page = visit(service.ops, http_credentials={"username": "anyone", "password": key})

    moment = page.locator("#moment")
    expect(moment).not_to_have_text(moment.text_content() or "")
    page.locator("tbody tr", has_text=sent["id"]).get_by_role("button", name="Run again").click()

    expect(page).to_have_url(re.compile(f"/requests/{sent['id']}"))
    expect(page.locator("[data-part=head]")).to_contain_text("It was accepted again, and ")
    until(lambda: service.ended(sent)["status"] == "failed", "the end")


def test_without_one_nothing_is_seen(service: Running, visit: Open, watches: list[Watch]) -> None:
    page = visit(service.ops, http_credentials={"username": "anyone", "password": "wrong"})

    expect(page.get_by_role("heading", level=1)).to_have_text("Unauthorized")
    expect(page.locator("main")).to_contain_text("A key is asked for: any name, and the key as the password.")
    assert any(trouble == f"GET {service.ops}/: 401" for trouble in watches[0].troubles)
    watches[0].troubles.clear()
