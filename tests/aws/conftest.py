"""What the tests of the functions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.aws.faults import FaultProxy
from tests.aws.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.aws.runtime import Function


@pytest.fixture(scope="module")
def shared() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def stage(shared: Stage) -> Stage:
    shared.forget()
    return shared


@pytest.fixture(scope="module")
def relay(shared: Stage) -> Iterator[Function]:
    with shared.function("relay") as function:
        yield function


@pytest.fixture(scope="module")
def proxy(shared: Stage) -> Iterator[FaultProxy]:
    with FaultProxy(shared.aws.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def strained(shared: Stage, proxy: FaultProxy) -> Iterator[Function]:
    """A relay that reaches AWS through the proxy."""
    with shared.function("relay", endpoint=proxy.url) as function:
        yield function


@pytest.fixture(scope="module")
def worker(shared: Stage) -> Iterator[Function]:
    with shared.function("worker") as function:
        yield function
