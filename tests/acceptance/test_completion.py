"""Completion, by the script for bash in a bash."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.service import ACTIONS, PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

BIN = Path(sys.executable).parent
SCRIPT = """
eval "$(acuse --show-completion)"
complete -p acuse
for line in "$@"; do
    eval "COMP_WORDS=($line)"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _acuse_completion acuse
    echo "${COMPREPLY[*]}"
done
"""
HEAVY = ("botocore", "httpx", "jinja2", "pyarrow", "starlette", "uvicorn")


def completed(lines: Sequence[str], folder: Path, **environment: str) -> list[str]:
    """What bash would offer for each line, whose last word is what has been typed of it."""
    asked = [line if not line.endswith(" ") else f"{line}''" for line in lines]
    told = subprocess.run(
        ["bash", "--norc", "-c", SCRIPT, "bash", *asked],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
    )
    registered, *offered = told.stdout.splitlines()
    assert (registered, told.stderr) == ("complete -o default -F _acuse_completion acuse", "")
    return offered


def test_commands_options_statuses_and_actions_are_completed_and_no_store_is_opened(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("raise SystemExit\nclass Mine(Action, tag='mine', kw_only=True): ...")
    lines = ["acuse li", "acuse list --sta", "acuse list --status f", "acuse retry --failed --action ", "acuse show "]

    offered = completed(
        lines, tmp_path, ACUSE_ACTIONS=f"{ACTIONS},mine,no.such,no.py", ACUSE_DATA=str(tmp_path / "data")
    )

    assert offered == [
        "list",
        "--status",
        "finished failed",
        "alone delay echo mine misbehaves notes once sums takes-down",
        "",
    ]
    assert not (tmp_path / "data").exists()


def test_wrong_settings_offer_what_is_installed(tmp_path: Path) -> None:
    assert completed(["acuse list --action "], tmp_path, ACUSE_STORE="nonsense") == ["delay"]


def test_the_command_line_waits_for_no_package_that_few_commands_need() -> None:
    code = f"import sys, acuse.entrypoints.cli; print(set({HEAVY}) & sys.modules.keys())"

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert told.stdout == "set()\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_there_is_a_script_for_other_shells(shell: str) -> None:
    environment = {**os.environ, "_ACUSE_COMPLETE": f"source_{shell}"}

    told = subprocess.run([BIN / "acuse"], check=True, capture_output=True, text=True, env=environment)

    assert "acuse" in shlex.split(told.stdout, comments=True)
