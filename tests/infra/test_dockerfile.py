"""The image: its Dockerfile passes a linter, has all that it copies, and is what the tasks expect of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from infra.bundle import ROOT, Architecture, Code
from infra.image import DOCKERFILE, context
from infra.task import USER, WRITABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

HADOLINT = Path(sys.executable).with_name("hadolint")
OPTIONAL = "actions"


def instructions(name: str = r"[A-Z]+") -> list[str]:
    """What follows the name in each instruction, on one line."""
    lines = [line for line in (ROOT / DOCKERFILE).read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", "")
    return re.findall(rf"^{name} +(.+)$", text, re.MULTILINE)


def copied() -> Iterator[str]:
    """What is copied from outside of the image."""
    for copy in instructions("COPY"):
        if not copy.startswith("--from"):
            yield from copy.split()[:-1]


@pytest.fixture
def code(tmp_path: Path) -> Code:
    action, requirements = tmp_path / "greet.py", tmp_path / "needs.txt"
    action.write_text("greeting = 'hello'\n")
    requirements.write_text("six==1.17.0 --hash=sha256:00\n")
    return Code(tmp_path, Architecture.ARM64, files=(action,), requirements=requirements)


def lint(dockerfile: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HADOLINT, "--no-color", dockerfile], check=False, capture_output=True, text=True)


def test_the_linter_has_nothing_to_say_and_is_told_to_ignore_nothing() -> None:
    found = lint(ROOT / DOCKERFILE)

    assert (found.returncode, found.stdout) == (0, "")
    assert "hadolint ignore" not in (ROOT / DOCKERFILE).read_text()


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN pip install requests && cd /\nENTRYPOINT acuse serve\n")

    found = lint(bad)

    assert found.returncode == 1
    assert set(re.findall(r"DL\d+", found.stdout)) >= {"DL3006", "DL3013", "DL3025"}


def test_all_stages_are_of_one_image_that_cannot_change() -> None:
    first, *others = instructions("FROM")

    assert re.fullmatch(r"python:3\.\d+-slim-\w+@sha256:[0-9a-f]{64} AS python", first)
    assert {other.split()[0] for other in others} == {"python"}


def test_everything_that_is_installed_has_a_hash_or_was_built_there() -> None:
    installs = re.findall(r"pip install ([^&]+)", " ".join(instructions("RUN")))

    assert installs
    for install in installs:
        assert "--require-hashes" in install or install.split()[-1] == "wheels/*.whl"


def test_it_runs_as_the_tasks_run_it() -> None:
    assert instructions("USER") == [USER]
    assert json.loads(instructions("VOLUME")[0]) == [WRITABLE]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["acuse"]


def test_all_that_is_copied_is_sent_to_be_built_from_and_actions_with_it(code: Code) -> None:
    with context(code) as folder:
        for name in copied():
            assert list(folder.glob(name)), name
        assert (folder / DOCKERFILE).read_bytes() == (ROOT / DOCKERFILE).read_bytes()
        assert (folder / "actions" / "greet.py").read_text() == "greeting = 'hello'\n"
        assert "six==1.17.0" in (folder / "actions" / "requirements.txt").read_text()
        assert not list(folder.rglob("__pycache__"))


def test_docker_sends_the_same_when_it_builds_from_the_repository() -> None:
    *patterns, caches = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]

    assert patterns[0] == "*"
    assert {one.removeprefix("!") for one in patterns[1:]} == {name.rstrip("*") for name in copied()}
    assert caches == "**/__pycache__"


def test_without_actions_it_is_built_alike(tmp_path: Path) -> None:
    """A name that matches nothing is left out only beside another that does."""
    [together] = [copy for copy in instructions("COPY") if OPTIONAL in copy and not copy.startswith("--from")]
    always, perhaps, _ = together.split()

    assert (ROOT / always).is_file()
    assert perhaps == f"{OPTIONAL}*"
    with context(Code(tmp_path, Architecture.ARM64)) as folder:
        assert not list((folder / OPTIONAL).iterdir())
