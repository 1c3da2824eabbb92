"""The page says what every line of the log means, at the level that it has, and nothing that is no line."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.monitoring.files import ROOT, RUNBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS = {
    "debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "exception": "ERROR",
    "critical": "CRITICAL",
}  # fmt: skip
ROW = re.compile(r"^\| (`.+?`) \| ([A-Z, ]+) \| (.+) \|$", re.MULTILINE)


def logged() -> dict[str, set[str]]:
    """Each constant message of the code, and its levels."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in (ROOT / "src").rglob("*.py"):
        tree = ast.parse(file.read_text())
        for level, message in _calls(tree):
            texts = [message.value] if isinstance(message, ast.Constant) else _handed(tree)
            assert texts, f"{file}: {ast.unparse(message)} is no constant"
            for text in texts:
                found[str(text)].add(level)
    return dict(found)


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=method), args=[message, *_]):
                if method in LEVELS:
                    yield LEVELS[method], message


def _handed(tree: ast.AST) -> list[str]:
    """Messages that are handed to the one function of the file that logs what it is given."""
    return [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_only_a_warning"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    ]


def test_every_event_is_told_of_with_its_levels_and_no_other() -> None:
    section = RUNBOOK.read_text().split("\n## Events\n")[1].split("\n## ")[0]
    told: dict[str, set[str]] = {}
    for names, levels, meaning in ROW.findall(section):
        assert meaning
        for name in re.findall(r"`([^`]+)`", names):
            told[name] = set(levels.split(", "))

    code = logged()

    assert set(told) == set(code)
    assert {name: levels for name, levels in told.items() if not code[name] <= levels} == {}
    assert not any(re.search(r"[%{]", name) for name in code), "a message is constant; what changes goes to `extra`"
