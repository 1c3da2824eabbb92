"""The public plane over a SQLite file, with the SETTINGS of the module that asks for it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.store import SqliteStore
from tests.contract import backend as backends
from tests.integration.server import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.backend import Backend


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """A store and all that goes with it, where time passes as it is told to; a test may name another."""
    with getattr(backends, request.param)(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    database = Database(tmp_path_factory.mktemp("data") / "acuse.db", durable=True, busy=timedelta(seconds=5))
    yield SqliteStore(database, SystemClock())
    database.close()


@pytest.fixture(scope="module")
def address(store: SqliteStore, request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    with served(store, request.module.SETTINGS) as where:
        yield where


@pytest.fixture(scope="module")
def client(address: tuple[str, int]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url="http://{}:{}".format(*address), timeout=60) as made:
        yield made
