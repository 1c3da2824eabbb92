"""Promtool, fetched if need be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.monitoring.promtool import FOLDER, NoPromtool, Promtool, find

HERE = Path(__file__).parent
TEST_SECONDS = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Promtool may have to be fetched first, and that takes its time: only the tests themselves are measured."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS, func_only=True))


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """It runs; where it cannot be had the test fails and says what is missing."""
    try:
        return Promtool(find(FOLDER, os.environ))
    except NoPromtool as trouble:
        pytest.fail(str(trouble), pytrace=False)
