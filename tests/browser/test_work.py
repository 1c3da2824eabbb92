"""The pages over a real service, while it works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.acceptance.service import Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Open

ACTIONS = Path(__file__).with_name("actions.py")
SCRIPT = "</pre><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>"
LONG = "waits-for-a-file-under-a-name-that-is-longer-than-its-place"
TURNED = "\N{RIGHT-TO-LEFT OVERRIDE}desrever"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("service") / "data"
    with Running(data, "--workers", 1, "--actions", ACTIONS) as service:
        yield service


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that is not there."""
    return tmp_path / "gate"


def test_it_shows_work_as_it_comes_runs_and_ends_without_being_asked(service: Running, visit: Open, gate: Path) -> None:
    page = visit(service.ops)
    expect(verdict(page)).to_have_text("All is well")
    page.evaluate("window.stayed = true")

    sent = [service.accept(action="gate", file=str(gate)) for _ in range(5)]

    bars = page.locator("[data-part=backlog] svg[role=img]")
    expect(bars).to_have_attribute("aria-label", "3 waiting, 2 running, 0 delayed.")
    expect(row(page, "gate").locator("td").nth(0)).to_have_text("3")
    expect(row(page, "gate").locator("td").nth(1)).to_have_text("2")

    gate.touch()
    for one in sent:
        service.ended(one)

    expect(bars).to_have_count(0)
    expect(figure(page, "Finished")).to_contain_text("5 in 5 min")
    expect(row(page, "gate").locator("td").nth(5)).to_have_text("5")
    expect(verdict(page)).to_have_text("All is well")
    assert page.evaluate("window.stayed")


def test_a_failure_is_seen_with_its_reason_and_runs_again_from_the_page(
    service: Running, visit: Open, gate: Path
) -> None:
    page = visit(service.ops)
    sent = service.accept(action="needs", file=str(gate))
    service.ended(sent)

    failed = page.locator("[data-part=failed] tbody tr", has_text=sent["id"])
    expect(failed).to_contain_text("refused the file is not there yet")
    expect(verdict(page)).to_have_text("Attention")
    expect(page).to_have_title(re.compile("Attention"))
    expect(page.locator("[data-part=verdict]")).to_contain_text(re.compile(r"1 of \d+ requests? .* failed"))

    gate.touch()
    failed.get_by_role("button", name="Run again").click()

    expect(page).to_have_url(re.compile(f"/requests/{sent['id']}"))
    expect(page.locator("[data-part=head]")).to_contain_text("It was accepted again, and ")
    expect(page.locator("[data-part=head] .status")).to_have_text("finished")
    expect(page.locator("[data-part=result]")).to_contain_text('"found"')
    expect(page.get_by_role("button", name="Run again")).to_have_count(0)
    assert service.ended(sent)["status"] == "finished"


def test_what_no_longer_failed_is_not_run_again(service: Running, visit: Open, gate: Path) -> None:
    sent = service.accept(action="needs", file=str(gate))
    service.ended(sent)
    page = visit(f"{service.ops}/requests/{sent['id']}")
    other = visit(f"{service.ops}/requests/{sent['id']}")
    gate.touch()
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("[data-part=head] .status")).to_have_text("finished")

    other.get_by_role("button", name="Run again").click()

    expect(other.locator("[data-part=head]")).to_contain_text("Nothing was done: it was no longer failed")


def test_one_request_shows_its_parts_and_what_came_to_pass(service: Running, visit: Open) -> None:
    sent = service.accept(action="sums", upto=12, bad=7)
    service.ended(sent)
    page = visit(f"{service.ops}/requests/{sent['id']}")

    expect(page.get_by_role("heading", level=1)).to_have_text(sent["id"])
    events = page.locator("[data-part=timeline] li strong")
    expect(events).to_have_text(["Created", "Split into 12 parts", "Failed"])
    expect(page.locator("[data-part=timeline]")).to_contain_text("12 have ended, 1 of them failed")
    expect(page.locator("[data-part=error]")).to_contain_text("1 of 12 parts failed")
    expect(page.locator("[data-part=body]")).to_contain_text('"upto": 12')
    parts = page.locator("[data-part=parts]")
    expect(parts.locator("tbody tr")).to_have_count(12)
    expect(parts.locator("tbody tr").nth(6)).to_contain_text("ValueError: part 7 is bad")
    expect(parts.locator("tbody tr .status.failed")).to_have_count(1)
    expect(parts.locator("svg.chart rect.finished")).to_have_count(11)
    expect(parts.locator("svg.chart rect.failed")).to_have_count(1)


def test_many_parts_come_in_pages(service: Running, visit: Open) -> None:
    sent = service.accept(action="sums", upto=230)
    service.ended(sent)
    page = visit(f"{service.ops}/requests/{sent['id']}")
    numbers = page.locator("[data-part=parts] tbody th")

    expect(numbers).to_have_count(100)
    page.get_by_role("link", name="Parts after").click()
    expect(numbers.first).to_have_text("101")
    page.get_by_role("link", name="Parts after").click()
    expect(numbers.first).to_have_text("201")
    expect(numbers).to_have_count(30)
    expect(page.get_by_role("link", name="Parts after")).to_have_count(0)
    page.get_by_role("link", name="Parts before").click()
    expect(numbers.first).to_have_text("101")


def test_what_clients_and_actions_wrote_is_text_and_stays_in_its_box(service: Running, visit: Open, gate: Path) -> None:
    sent = service.accept(action="needs", file=str(gate), why=f"{SCRIPT}{TURNED}", note={SCRIPT: "x" * 3_000})
    service.ended(sent)

    for path in ("/", "/requests?status=failed", f"/requests/{sent['id']}"):
        page = visit(f"{service.ops}{path}", viewport={"width": 390, "height": 800})
        expect(page.locator("main")).to_contain_text("</pre><script>alert(1)</script><img src=x")
        expect(page.locator("main").locator("script, img, [onload], [onerror]")).to_have_count(0)
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page.content()
        assert outside(page) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_long_name_of_an_action_leaves_its_figures_their_place(
    service: Running, visit: Open, gate: Path, width: int
) -> None:
    sent = service.accept(action=LONG, file=str(gate))
    page = visit(service.ops, viewport={"width": width, "height": 800})
    chart = page.locator("[data-part=backlog] svg[role=img]")
    expect(chart).to_have_attribute("aria-label", re.compile("1 running"))

    name, said = (chart.locator(kind).bounding_box() for kind in (".name", ".value"))

    assert name
    assert said
    assert name["x"] + name["width"] < said["x"]
    gate.touch()
    service.ended(sent)


def test_without_javascript_all_can_be_read_and_a_failure_runs_again(service: Running, visit: Open, gate: Path) -> None:
    sent = service.accept(action="needs", file=str(gate))
    service.ended(sent)
    page = visit(service.ops, java_script_enabled=False)

    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    expect(page.get_by_role("status")).to_have_count(0)
    expect(verdict(page)).to_have_text("Attention")
    expect(page.locator("[data-part=throughput] svg path.line.accepted")).to_have_attribute("d", re.compile("^M"))
    page.get_by_role("link", name="Failed", exact=True).click()
    page.get_by_role("link", name=sent["id"]).click()
    gate.touch()
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("[data-part=head]")).to_contain_text("It was accepted again, and ")
    service.ended(sent)
    page.reload()
    expect(page.locator("[data-part=head] .status")).to_have_text("finished")


def test_the_keyboard_is_enough(service: Running, visit: Open, gate: Path) -> None:
    sent = service.accept(action="needs", file=str(gate))
    service.ended(sent)
    page = visit(service.ops)

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, page.get_by_role("link", name=sent["id"]))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(sent["id"])
    gate.touch()
    tab_to(page, page.get_by_role("button", name="Run again"))
    page.keyboard.press("Enter")

    expect(page.locator("[data-part=head] .status")).to_have_text("finished")


def test_what_is_in_use_stays_while_the_page_goes_on(service: Running, visit: Open) -> None:
    page = visit(service.ops)
    table = page.locator("[data-part=throughput] details")
    table.locator("summary").click()
    moment = page.locator("#moment")
    shown = moment.text_content() or ""
    page.get_by_role("button", name="Pause").focus()

    service.accept()

    expect(moment).not_to_have_text(shown)
    expect(table).to_have_attribute("open", "")
    expect(page.get_by_role("button", name="Pause")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume")).to_be_focused()


def test_nothing_moves_where_that_is_not_wanted(service: Running, visit: Open) -> None:
    page = visit(service.ops, reduced_motion="reduce")

    moving = page.evaluate(
        "[...document.querySelectorAll('*')].map((node) => getComputedStyle(node))"
        ".filter((style) => style.transitionDuration !== '0s' || style.animationName !== 'none').length"
    )

    assert moving == 0


def verdict(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def figure(page: Page, name: str) -> Locator:
    return page.locator(".figure", has=page.get_by_role("heading", name=name, exact=True))


def row(page: Page, action: str) -> Locator:
    return page.locator("[data-part=actions] tbody tr", has=page.get_by_role("rowheader", name=action, exact=True))


def tab_to(page: Page, wanted: Locator) -> None:
    """The keyboard has reached it, and shows where it is."""
    for _ in range(100):
        if wanted.evaluate("(node) => node === document.activeElement"):
            assert wanted.evaluate("(node) => getComputedStyle(node).outlineStyle") != "none"
            return
        page.keyboard.press("Tab")
    pytest.fail(f"no Tab leads to {wanted}")


def outside(page: Page) -> list[str]:
    """What is beyond the edge of the page, and cannot be reached by scrolling the box that it is in."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('main *')]"
        ".filter((node) => !node.closest('.scroll, pre, svg, .unseen'))"
        ".filter((node) => node.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)"
        ".map((node) => node.outerHTML.slice(0, 100))"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return found
