"""The commands with their options, from the code: `python -m tests.docs.commands` writes them into the reference."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from acuse.entrypoints.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE = Path(__file__).parents[2] / "docs/reference/cli.md"
MARK = re.compile(r"(<!-- commands -->\n).*(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The text with the commands as they are."""
    made = "\n".join(_sections())
    return MARK.sub(lambda found: f"{found[1]}\n{made}\n{found[2]}", text)


def commands() -> Iterator[tuple[str, Any]]:
    """Each with its whole name."""
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", {})
        yield from ((f"{name} {one}", each) for one, each in inner.items()) if inner else [(name, command)]


def _sections() -> Iterator[str]:
    for name, command in commands():
        yield f"### acuse {name}\n"
        for paragraph in inspect.cleandoc(command.help).split("\n\n"):
            yield " ".join(paragraph.split()) + "\n"
        if command.params:
            yield "| argument or option | meaning |\n|---|---|"
            yield from map(_row, command.params)
            yield ""


def _row(parameter: Any) -> str:
    many = "…" if parameter.nargs != 1 else ""
    if parameter.param_type_name == "argument":
        shown = f"{parameter.metavar}{many}"
    else:
        shown = " ".join([*parameter.opts, *([] if parameter.is_flag else [_placeholder(parameter)])])
    default = "" if parameter.default in (None, False) else f" Default: `{parameter.default}`."
    if parameter.envvar:
        default += f" Also from `{parameter.envvar}`."
    needed = " Required." if parameter.required else ""
    cells = (f"`{shown}`", f"{parameter.help}{needed}{default}")
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _placeholder(parameter: Any) -> str:
    kind = parameter.display_type(None).strip("<>")
    assert parameter.metavar or "|" in kind, f"{parameter.name} has no metavar: its help would name a type of Python"
    return str(parameter.metavar or kind)


if __name__ == "__main__":
    REFERENCE.write_text(filled(REFERENCE.read_text("utf-8")), "utf-8")
