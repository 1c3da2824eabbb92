"""What the documents say is what the code does."""

from __future__ import annotations

import re
import shlex
import typing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer.main

from acuse.application.actions import Action, Catalogue
from acuse.config import PREFIX, Settings
from acuse.domain.record import STAMPS, TRANSITIONS, Reason
from acuse.domain.submission import MAX_DEPTH, MAX_DIGITS
from acuse.entrypoints.api.problems import PROBLEMS
from acuse.entrypoints.cli import app
from tests.acceptance.service import Running
from tests.docs.headings import slugs

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
HTTP = (ROOT / "docs/reference/http.md").read_text("utf-8")
STATES = (ROOT / "docs/reference/states.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def settings_table() -> str:
    """The table of all settings, as it must stand in the docs."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for field in msgspec.structs.fields(Settings):
        default = field.default
        match default:
            case timedelta():
                shown = f"`{default.total_seconds():g}` s"
            case bool():
                shown = f"`{str(default).lower()}`"
            case ():
                shown = ""
            case _:
                shown = f"`{default}`"
        meaning = next(one.description for one in hints[field.name].__metadata__ if one.description)
        lines.append(f"| `{PREFIX}{field.name.upper()}` | {shown} | {meaning} |")
    return "\n".join(lines)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert settings_table() in (ROOT / "docs/reference/settings.md").read_text("utf-8")


def test_every_problem_has_its_section_and_no_other_has() -> None:
    sections = re.findall(r"### ([a-z-]+)\n\n(\d{3})", HTTP)

    assert sections == [(problem.slug, str(problem.status)) for problem in PROBLEMS]


def test_the_limits_in_the_docs_are_those_of_the_code() -> None:
    assert f"at most {MAX_DEPTH} levels deep" in HTTP
    assert f"at most {MAX_DIGITS} significant digits" in HTTP
    assert all(f"`{name}`" in HTTP for name in STAMPS)


def test_every_transition_and_reason_is_in_the_docs_and_no_other() -> None:
    told = set(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", STATES, re.MULTILINE))
    reasons = re.findall(r"^\| `([a-z-]+)` \| [a-z]", STATES, re.MULTILINE)

    assert told == {(one.value, other.value) for one, others in TRANSITIONS.items() for other in others}
    assert sorted(reasons) == sorted(Reason)


def test_every_command_is_in_the_readme_and_no_other() -> None:
    commands: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009

    assert set(re.findall(r"^\| `acuse (\w+)", README, re.MULTILINE)) == set(commands)


def test_the_actions_in_the_readme_are_actions() -> None:
    found: list[type[Action]] = []
    for block in blocks(README, "python"):
        if "Client(" in block:
            continue
        names: dict[str, Any] = {"__name__": "readme"}
        exec(block, names)  # noqa: S102
        found += [one for one in names.values() if isinstance(one, type) and one.__module__ == "readme"]

    assert list(Catalogue(found)) == ["count-words", "greet"]


def test_the_client_in_the_readme_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [block] = [block for block in blocks(README, "python") if "Client(" in block]
    assert "http://127.0.0.1:8080" in block

    with Running(tmp_path / "data") as service:
        exec(block.replace("http://127.0.0.1:8080", service.url.removesuffix("/v1/requests")), {})  # noqa: S102

    assert re.fullmatch(r"[0-9a-f-]{36} finished {'seconds': 0.1}\n", capsys.readouterr().out)


def test_the_first_minute_is_as_the_readme_tells_it(tmp_path: Path) -> None:
    command = next(block for block in blocks(README, "sh") if "curl" in block)
    _, _, url, _, header, _, data = shlex.split(command.replace("\\\n", ""))
    created_in_readme, finished_in_readme = blocks(README, "json")
    assert url == "http://127.0.0.1:8080/v1/requests"

    with Running(tmp_path / "data") as service:
        headers = dict([header.split(": ")])
        created = service.client.post(service.url, content=data, headers=headers)
        finished = service.ended(msgspec.json.decode(data))

    assert created.status_code == 201
    assert _without_times(created.json()) == _without_times(msgspec.json.decode(created_in_readme))
    assert _without_times(finished) == _without_times(msgspec.json.decode(finished_in_readme))


def _without_times(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "created_at": None, "finished_at": bool(record["finished_at"])}


@pytest.mark.parametrize("file", sorted((ROOT / "src").rglob("*.py")), ids=lambda file: file.name)
def test_every_source_file_is_short(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) < 300


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for path, place in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", page.read_text("utf-8")):
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), path
        assert target.exists(), path
        assert not place or place in slugs(target.read_text("utf-8")), place


def test_every_picture_is_shown_by_a_page() -> None:
    shown = {
        (page.parent / path).resolve()
        for page in PAGES
        for path in re.findall(r"\]\(([^)\s]+\.png)\)", page.read_text("utf-8"))
    }

    assert shown == set(ROOT.glob("docs/**/*.png"))
