"""Options of the whole suite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

DYNAMODB_URL = "ACUSE_TEST_DYNAMODB_URL"
"""The environment variable that hands the option on; a state machine of Hypothesis has no fixtures to read it from."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--dynamodb-url",
        help="run the contract suite over the DynamoDB at this URL, with credentials and region of the environment",
    )


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile("acuse", deadline=None)  # A slow machine is no failure.
    hypothesis.settings.load_profile("acuse")
    if url := config.getoption("--dynamodb-url"):
        os.environ[DYNAMODB_URL] = url


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: the tests wait for processes half of the time."""
    has_affinity = hasattr(os, "sched_getaffinity")
    return 1 + (len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logs may be no Unicode, as the texts of errors are; between processes xdist sends only what is."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
