"""What is made of a deployment and the code. That it needs nothing else: test_offline.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


ROOT = Path(__file__).parents[2]
ACTION = "from acuse import Action\n\n\nclass Look(Action, tag='look'):\n    def run(self) -> None: ...\n"


def app(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The app as a command, in an environment of nothing but what is given."""
    return subprocess.run(
        [sys.executable, "-m", "infra.app", *map(str, arguments)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def code_in(folder: Path, text: str = "") -> Path:
    """The code, with that in its first module."""
    (folder / "acuse").mkdir(parents=True)
    (folder / "acuse" / "__init__.py").write_text(text)
    return folder


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return code_in(tmp_path / "code")


def templates(folder: Path) -> list[Any]:
    return [json.loads((folder / f"acuse-{name}.template.json").read_text()) for name in ("service", "storage")]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The templates of the code for arm64."""
    folder = tmp_path_factory.mktemp("usual")
    made = app(folder / "out", "--code", code_in(folder / "code"), "--architecture", "arm64", cwd=ROOT)
    assert made.returncode == 0, made.stderr
    return templates(folder / "out")


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """The places where two values of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differences(one[name], other[name], f"{where}/{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (mine, yours) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, yours, f"{where}/{place}")
    elif one != other:
        yield where


def test_for_this_machine_only_the_processor_and_the_package_differ(
    usual: list[Any], code: Path, tmp_path: Path
) -> None:
    made = app(tmp_path / "out", "--code", code, "--architecture", "x86_64", cwd=ROOT)

    assert made.returncode == 0, made.stderr
    found = differences(usual, templates(tmp_path / "out"))
    assert {place.rpartition("/Properties/")[2] for place in found} == {"Architectures/0"}


def test_other_code_is_another_package(usual: list[Any], tmp_path: Path) -> None:
    other = code_in(tmp_path / "other", "changed = True")

    app(tmp_path / "out", "--code", other, "--architecture", "arm64", cwd=ROOT)

    assert {place.rpartition("/")[2] for place in differences(usual, templates(tmp_path / "out"))} == {"S3Key"}


def test_actions_travel_with_the_code(code: Path, tmp_path: Path) -> None:
    (tmp_path / "actions").mkdir()
    (tmp_path / "actions" / "look.py").write_text(ACTION)
    (tmp_path / "mine.toml").write_text('actions = ["actions/look.py"]')

    made = app(tmp_path / "out", "--code", code, "--deployment", tmp_path / "mine.toml", cwd=tmp_path)

    assert made.returncode == 0, made.stderr
    template = json.loads((tmp_path / "out" / "acuse-service.template.json").read_text())
    functions = [one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
    for function in functions:
        assert function["Environment"]["Variables"]["ACUSE_ACTIONS"] == "look"
        package = tmp_path / "out" / f"asset.{function['Code']['S3Key'].removesuffix('.zip')}"
        assert (package / "look.py").read_text() == ACTION
        assert (package / "acuse" / "__init__.py").exists()
    assert not (code / "look.py").exists()


@pytest.mark.parametrize(
    ("deployment", "says"),
    [
        ("profile = 'lamda'", "lamda"),
        ("actions = ['nowhere.py']", "nowhere.py"),
        ("actions = ['acuse.py']", "acuse"),
    ],
)
def test_what_cannot_be_made_is_told_and_not_made(deployment: str, says: str, code: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(deployment)
    (tmp_path / "acuse.py").write_text("")

    made = app(tmp_path / "out", "--code", code, "--deployment", tmp_path / "bad.toml", cwd=ROOT)

    assert made.returncode == 2
    assert says in made.stderr
    assert "Traceback" not in made.stderr
    assert not (tmp_path / "out").exists()
