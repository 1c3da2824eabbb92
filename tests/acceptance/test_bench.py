"""`acuse bench`: what it says and leaves behind, never how fast it is."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.acceptance.service import ACTIONS, PATIENCE_SECONDS, acuse, children, exists, until

if TYPE_CHECKING:
    from pathlib import Path

SHORT = ("--seconds", "0.1", "--connections", "2", "--workers", "1")


def rows(out: str) -> dict[str, list[str]]:
    """The table: what is measured, and the figure of each way."""
    found = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines() if line.strip()]
    return {cells[0]: cells[1:] for cells in found if len(cells) == 3}


def count(figure: str) -> float:
    return float(figure.removesuffix("/s").replace(",", ""))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    return made


def test_it_says_what_was_measured_of_any_request_and_leaves_a_chart_and_nothing_else(place: Path) -> None:
    chart = place.parent / "chart.svg"
    request = '{"action": "misbehaves", "how": "refuses"}'

    measured = acuse("bench", *SHORT, "--actions", ACTIONS, "--request", request, "--plot", chart, data=place)

    assert (measured.returncode, measured.stderr) == (0, "")
    told = rows(measured.stdout)
    assert told["lost"] == ["0", "0"]
    assert told["failed"] == told["requests"]
    assert all(count(figure) > 0 for title in ("requests", "accepted", "ended") for figure in told[title])
    for title in ("POST, p50 / p90 / p99", "created to finished, likewise"):
        assert all(re.fullmatch(r"[\d.,]+ / [\d.,]+ / [\d.,]+ m?s", figure) for figure in told[title])
    assert "A write to this disk takes" in measured.stdout
    assert measured.stdout.count("/s at most") == 4
    assert list(place.iterdir()) == []
    names = [text.text for text in ET.parse(chart).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert {"accepted", "ended"} <= set(names)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ('{"action": "delay", "seconds": "x"}', "does not take this request: 422"),
        ('{"action": "delay", "id": "x"}', "has an id"),
        ("[]", "no JSON object"),
    ],
)
def test_a_request_that_is_not_taken_is_an_error(place: Path, request_: str, said: str) -> None:
    measured = acuse("bench", *SHORT, "--request", request_, data=place)

    assert (measured.returncode, measured.stdout) == (2, "")
    assert said in measured.stderr
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--plot", "{place}/nowhere/chart.svg"), "there is no folder"),
        (("--plot", "{place}"), "cannot be written"),
        (("--connections", "1001"), "takes 1000 connections"),
    ],
)
def test_what_could_not_be_done_is_an_error_before_anything_is_measured(
    place: Path, arguments: tuple[str, str], said: str
) -> None:
    measured = acuse("bench", *SHORT, *(one.format(place=place) for one in arguments), data=place)

    assert (measured.returncode, measured.stdout) == (2, "")
    assert said in measured.stderr


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_broken_off_and_leaves_nothing(place: Path, signum: signal.Signals) -> None:
    command = [sys.executable, "-m", "acuse", "bench", "--seconds", "600", "--data", str(place), "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as measuring:
        try:
            until(lambda: any(log.stat().st_size > 100_000 for log in place.glob("*/acuse.db-wal")), "requests")
            processes = children(measuring.pid)
            assert len(processes) >= 3
            measuring.send_signal(signum)
            until(lambda: len(children(measuring.pid)) < len(processes), "that it goes down")
            measuring.send_signal(signum)
            out, error = measuring.communicate(timeout=PATIENCE_SECONDS)
        finally:
            measuring.kill()

    assert (measuring.returncode, out, len(error.splitlines())) == (130, "", 1)
    assert list(place.iterdir()) == []
    assert not any(exists(pid) for pid in processes)
