"""`acuse submit` as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.service import BUFFERED, PATIENCE_SECONDS, acuse
from tests.acceptance.terminal import on_terminal
from tests.integration.scripted import Exchange, Fault, Scripted, breaks_after_storing, ndjson, refuses, scripted
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "acuse_reports_c2VjcmV0"


def lines(*requests: dict[str, Any]) -> str:
    return "".join(json.dumps(one) + "\n" for one in requests)


def test_it_sends_a_long_file_through_failures_and_prints_every_answer_once_in_order(tmp_path: Path) -> None:
    file = tmp_path / "requests.ndjson"
    ids = [new_id() for _ in range(2_500)]
    file.write_text(lines(*({"id": id_, "action": "echo"} for id_ in ids)))
    faults: list[Fault] = [refuses(503), breaks_after_storing]
    with scripted(*faults) as service:
        told = acuse("submit", file, "--url", service.address)

    assert told.returncode == 0, told.stderr
    assert [json.loads(line)["id"] for line in told.stdout.splitlines()] == ids
    assert list(service.records) == ids


def test_the_key_comes_from_the_environment_and_is_not_told() -> None:
    with scripted(refuses(401, "unauthorized")) as service:
        told = acuse("submit", "-", "--url", service.address, input="{}", env={**os.environ, "ACUSE_KEY": KEY})

    assert [exchange.headers["authorization"] for exchange in service.came] == [f"Bearer {KEY}"]
    assert (told.returncode, "401 unauthorized" in told.stderr) == (1, True)
    assert KEY not in told.stderr + told.stdout


def test_what_cannot_be_reached_says_to_try_again_later_and_how_far_it_came() -> None:
    def takes_one_chunk(service: Scripted, exchange: Exchange) -> None:
        service.faults.append(refuses(503, Retry_After="3600"))
        exchange.say(207, ndjson(service.items(exchange)))

    with scripted(takes_one_chunk) as service:
        requests = [{"id": new_id(), "action": "echo"} for _ in range(1_001)]
        told = acuse("submit", "-", "--url", service.address, input=lines(*requests))

    assert told.returncode == 3
    assert "503 overloaded: as scripted (after the answers to the first 1000)" in told.stderr
    assert len(told.stdout.splitlines()) == 1_000


def test_it_goes_on_where_what_it_waits_for_cannot_be_told() -> None:
    with scripted(*[refuses(503)] * 4) as service, Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "acuse", "submit", "-", "--url", service.address]
        sent = subprocess.run(
            command, check=False, input="{}", stdout=subprocess.PIPE, stderr=full, text=True, env=BUFFERED
        )

    assert (sent.returncode, json.loads(sent.stdout)["id"]) == (0, *service.records)


def test_the_progress_on_a_terminal_is_not_among_the_answers(tmp_path: Path) -> None:
    file, answers = tmp_path / "requests.ndjson", tmp_path / "answers.ndjson"
    file.write_text(lines({"id": new_id(), "action": "echo"}, {"id": new_id(), "action": "echo"}))
    with scripted() as service:
        seen = on_terminal("submit", file, "--url", service.address, output=answers)

    assert "submitted 2" in seen
    assert [json.loads(line)["id"] for line in answers.read_text().splitlines()] == list(service.records)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is started may be interrupted, also where the suite may not: in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_what_it_waits_for_is_told_and_an_interrupt_ends_it_at_once() -> None:
    with scripted(*[refuses(503)] * 1_000) as service:
        command = [sys.executable, "-m", "acuse", "submit", "-", "--url", service.address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stderr
            process.stdin.write("{}\n")
            process.stdin.close()
            assert process.stderr.readline() == "acuse: 503 overloaded: as scripted; trying again\n"
            process.send_signal(signal.SIGINT)

            assert process.wait(PATIENCE_SECONDS) == 130
            assert process.stderr.read() == "acuse: interrupted\n"
