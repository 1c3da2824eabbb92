"""What the shell may complete: nothing of it opens a store or runs an action's code."""

from __future__ import annotations

import ast
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from acuse.bootstrap import ENTRY_POINTS
from acuse.config import Settings
from acuse.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator


def actions_known() -> list[str]:
    """The tags of the actions that the installed packages and ACUSE_ACTIONS name, as far as their source tells."""
    try:
        named = Settings.from_environment(os.environ).actions
    except Misconfigured:
        named = ()
    modules = [point.module for point in metadata.entry_points(group=ENTRY_POINTS)]
    files = [Path(spec) if spec.endswith(".py") else _source_of(spec) for spec in [*modules, *named]]
    return sorted({tag for file in files if file is not None for tag in _tags_in(file)})


def _source_of(module: str) -> Path | None:
    """The file that the module would be loaded from; none of its packages is loaded to find it."""
    return _found(module, None) or _found(module, [str(Path.cwd())])


def _found(module: str, places: list[str] | None) -> Path | None:
    name, origin = "", None
    for part in module.split("."):
        name = f"{name}.{part}".lstrip(".")
        finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
        spec = next((spec for find in finders if find and (spec := find(name, places))), None)
        if spec is None:
            return None
        origin, places = spec.origin, spec.submodule_search_locations
    return Path(origin) if origin and origin.endswith(".py") else None


def _tags_in(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        for keyword in node.keywords if isinstance(node, ast.ClassDef) else ():
            match keyword:
                case ast.keyword("tag", ast.Constant(str(tag))):
                    yield tag
