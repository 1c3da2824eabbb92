"""A guard is cut out of the code that runs, and put back afterwards."""

from __future__ import annotations
import __future__

import inspect
from importlib import import_module
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import pytest


class Cut(msgspec.Struct, frozen=True):
    """In a function or a statement (`module:name`, `module:Class.method`) this text becomes another."""

    where: str
    text: str
    instead: str = ""

    def make(self, patch: pytest.MonkeyPatch) -> None:
        """The code runs without the text until the patch is undone. LookupError where the text is not there once."""
        module_name, _, path = self.where.partition(":")
        module = import_module(module_name)
        owner: Any = module
        *outer, name = path.split(".")
        for one in outer:
            owner = getattr(owner, one)
        whole = getattr(owner, name)
        if isinstance(whole, str):
            patch.setattr(owner, name, self._applied(whole))
            return
        source = self._applied(dedent(inspect.getsource(whole)))
        flag = __future__.annotations.compiler_flag
        made: dict[str, Any] = {}
        exec(compile(source, f"<{self.where}, cut>", "exec", flags=flag), dict(vars(module)), made)  # noqa: S102  (its own source)
        # The code and not the function, for others have imported the function by its name.
        patch.setattr(whole, "__code__", made[name].__code__)

    def _applied(self, source: str) -> str:
        if source.count(self.text) != 1:
            raise LookupError(f"{self.where} has this text {source.count(self.text)} times, not once: {self.text}")
        return source.replace(self.text, self.instead)
