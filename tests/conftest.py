"""Options of the whole suite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

DYNAMODB_URL = "ACUSE_TEST_DYNAMODB_URL"
"""The environment variable that hands the option on; a state machine of Hypothesis has no fixtures to read it from."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--dynamodb-url",
        help="run the contract suite over the DynamoDB at this URL, with credentials and region of the environment",
    )


def pytest_configure(config: pytest.Config) -> None:
    if url := config.getoption("--dynamodb-url"):
        os.environ[DYNAMODB_URL] = url
