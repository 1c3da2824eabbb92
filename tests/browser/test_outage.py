"""What the page says when something is wrong with the service itself."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.acceptance.service import Running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import Open
    from tests.browser.watch import Watch


SHOWN = """isShown => {
    Object.defineProperty(document, "hidden", { value: !isShown, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_page_that_is_open_tells_that_the_service_is_gone_and_goes_on_when_it_is_back(
    tmp_path: Path, visit: Open, watches: list[Watch]
) -> None:
    data = tmp_path / "data"
    with Running(data, "--workers", 1) as service:
        page = visit(service.ops)
        lost = page.get_by_text("Connection lost, trying again")
        verdict = page.locator("[data-part=verdict]")
        expect(lost).to_be_hidden()
        expect(verdict).to_contain_text("All is well")
        page.evaluate("window.stayed = true")
        shown = page.locator("#moment").text_content() or ""
    expect(lost).to_be_visible()
    expect(verdict).to_have_text("Attention The connection is lost: what is below was so at the time above.")
    expect(page).to_have_title("Connection lost · acuse")
    troubles = list(watches[0].troubles)

    with Running(data, "--workers", 1, "--ops-port", service.ops.rpartition(":")[2]):
        expect(lost).to_be_hidden()
        expect(page.locator("#moment")).not_to_have_text(shown)
        expect(verdict).to_contain_text("All is well")
        expect(page).to_have_title("All is well · acuse")
        assert page.evaluate("window.stayed")
        page.close()

    assert troubles
    assert all("net::ERR_CONNECTION_REFUSED" in trouble for trouble in watches[0].troubles)
    watches[0].troubles.clear()


def test_the_name_of_a_tab_that_nobody_sees_and_that_does_not_go_on_does_not_say_that_all_is_well(
    tmp_path: Path, visit: Open
) -> None:
    with Running(tmp_path / "data", "--workers", 1) as service:
        page = visit(service.ops)
        expect(page).to_have_title("All is well · acuse")

        page.evaluate(SHOWN, False)
        expect(page).to_have_title("acuse")

        page.evaluate(SHOWN, True)
        expect(page).to_have_title("All is well · acuse")
        page.get_by_role("button", name="Pause").click()
        page.evaluate(SHOWN, False)
        expect(page).to_have_title("All is well · acuse")


def test_a_worker_that_is_silent_is_told_of_until_it_is_back_and_the_charts_go_on(tmp_path: Path, visit: Open) -> None:
    with Running(tmp_path / "data", "--workers", 1) as service:
        page = visit(service.ops)
        verdict = page.get_by_role("heading", level=1)
        expect(verdict).to_have_text("All is well")
        chart = page.locator("[data-part=throughput] svg path.line.accepted")
        before = chart.get_attribute("d")
        service.accept()

        [worker] = service.pids("worker")
        os.kill(worker, signal.SIGSTOP)
        expect(verdict).to_have_text("Attention")
        # Not the only reason, if it was stopped while it was writing: then the intake cannot commit.
        expect(page.get_by_text("Not ready: worker-1 has been silent for")).to_be_visible()
        os.kill(worker, signal.SIGCONT)

        expect(verdict).to_have_text("All is well")
        expect(chart).not_to_have_attribute("d", before or "")
