"""Every guard is proven: where it is broken, a test of the suite fails."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from acuse.domain.errors import StoreUnavailable
from tests.contract import test_store
from tests.contract.backend import BACKENDS
from tests.guards import of_core, of_dynamodb, of_memory, of_sqlite
from tests.guards.broken import Broken
from tests.guards.surgery import Cut
from tests.unit.desk import Desk
from tests.unit.place import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

GIVEN: Mapping[str, Callable[[str, Path], AbstractContextManager[Any]]] = {
    "backend": lambda store, folder: BACKENDS[store](folder),
    "place": lambda _store, _folder: nullcontext(Place()),
    "desk": lambda _store, _folder: closing(Desk()),
    "tmp_path": lambda _store, folder: nullcontext(folder),
    "monkeypatch": lambda _store, _folder: pytest.MonkeyPatch.context(),
}
"""What a proof may ask for, by the name of its argument."""


def run(broken: Broken, folder: Path) -> None:
    folder.mkdir()
    with ExitStack() as stack:
        arguments = inspect.signature(broken.proof).parameters.values()
        names = [one.name for one in arguments if one.default is one.empty]
        broken.proof(**{name: stack.enter_context(GIVEN[name](broken.store, folder)) for name in names})


EACH = [
    pytest.param(broken, id=f"{name}: {broken.guard}")
    for name, guards in [
        ("memory", of_memory.GUARDS),
        ("sqlite", of_sqlite.GUARDS),
        ("dynamodb", of_dynamodb.GUARDS),
        ("core", of_core.GUARDS),
    ]
    for broken in guards
]


@pytest.mark.parametrize("broken", EACH)
def test_a_guard_that_is_broken_is_found(broken: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(broken, tmp_path / "whole")

    for cut in broken.cuts:
        cut.make(monkeypatch)

    with pytest.raises(AssertionError):
        run(broken, tmp_path / "broken")


def test_a_guard_that_is_not_where_the_table_says_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LookupError, match="0 times"):
        Cut("acuse.adapters.sqlite.store:SETTLE", "AND nothing").make(monkeypatch)


def test_behind_a_guard_of_sqlite_stands_a_check_of_the_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cut("acuse.adapters.sqlite.store:SETTLE", "max(?, created_at)", "?").make(monkeypatch)
    proof = test_store.test_it_never_ends_before_it_was_created

    with pytest.raises(StoreUnavailable, match="CHECK constraint failed"):
        run(Broken("it never ends before it was created", (), proof, "sqlite"), tmp_path / "broken")
