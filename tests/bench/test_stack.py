"""The load test as it is run: against a real service, and against bad ones, so that it is seen to tell them apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from bench.stack.report import Report

from tests.acceptance.service import PATIENCE_SECONDS, Running, acuse, until
from tests.integration.scripted import Exchange, Scripted, always, breaks_after_storing, refuses, scripted
from tests.integration.verified import ENVIRONMENT, Verifier

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
STALL_SECONDS = 0.6
QUICK = ("--rate", 40, "--seconds", 0.5, "--warm-up", 0, "--patience", 0.1)


@pytest.fixture
def found(tmp_path: Path) -> Path:
    return tmp_path / "found.json"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is started may be interrupted, also where the suite may not: in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def command(url: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", "bench.stack", "--url", url, *map(str, arguments)]


def bench(url: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(url, *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def report(file: Path) -> Report:
    return msgspec.json.decode(file.read_bytes(), type=Report)


def keeps(service: Scripted, exchange: Exchange) -> None:
    service.keep_contract(exchange)


def forgets(service: Scripted, exchange: Exchange) -> None:
    """It acknowledges all, and keeps half of it."""
    before = set(service.records)
    service.keep_contract(exchange)
    for id_ in set(service.records) - before:
        if int(id_[-1], 16) % 2:
            del service.records[id_]


def test_a_real_service_is_loaded_step_by_step_by_several_processes(tmp_path: Path, found: Path) -> None:
    picture = tmp_path / "picture.png"
    with Running(tmp_path / "data") as service:
        told = bench(
            service.url, "--steps", "10,60", "--seconds", 1, "--warm-up", 0.5, "--processes", 2, "--sample", 20,
            "--seconds-of-work", 0.01, "--json", found, "--png", picture,
        )  # fmt: skip

    assert told.returncode == 0, told.stderr
    first, second = report(found).steps
    assert (first.sent, second.sent) == (first.created, second.created) == (10, 60)
    assert (first.kept.finished, second.kept.finished) == (10, 20)
    for step in (first, second):
        assert (step.replayed, step.refused, step.unanswered, step.broken) == (0, {}, 0, {})
        assert (step.kept.lost, step.kept.changed, step.kept.unread, step.kept.unended) == (0, 0, 0, 0)
        assert step.times
        assert step.kept.times
        assert step.achieved <= step.step.rate
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "10, 60 requests/s for 1 s each" in told.stdout


def test_many_in_one_post_and_actions_that_fail_are_told_as_such(tmp_path: Path, found: Path) -> None:
    with Running(tmp_path / "data") as service:
        told = bench(
            service.url, "--rate", 200, "--seconds", 0.5, "--bulk", 20, "--warm-up", 0, "--sample", 30,
            "--action", "misbehaves", "--members", '{"how":"raises"}', "--json", found,
        )  # fmt: skip

    assert told.returncode == 0, told.stderr
    [step] = report(found).steps
    assert (step.sent, step.created, len(step.seconds)) == (100, 100, 1)
    assert (step.kept.sampled, step.kept.finished, step.kept.failed) == (30, 0, 30)


def test_a_service_with_keys_is_told_the_key(tmp_path: Path, found: Path) -> None:
    data = tmp_path / "data"
    key = acuse("keys", "new", "load", data=data).stdout.strip()
    with Running(data) as service:
        with_key = bench(service.url, *QUICK, "--json", found, ACUSE_KEY=key)
        without = bench(service.url, *QUICK)

    assert with_key.returncode == 0, with_key.stderr
    assert (without.returncode, "401" in without.stderr) == (1, True)


def test_every_post_is_signed_for_one_that_checks_signatures(found: Path) -> None:
    verifier = Verifier()
    with scripted(*always(verifier)) as service:
        told = bench(service.address, *QUICK, "--sigv4", "--sample", 5, "--json", found, **ENVIRONMENT)
        came = len(service.came)

    assert told.returncode == 0, told.stderr
    [step] = report(found).steps
    assert (step.created, step.refused, step.kept.unread) == (20, {}, 0)
    assert len(verifier.signatures) == came


def test_what_was_acknowledged_and_is_not_there_is_found_and_told(found: Path) -> None:
    with scripted(*always(forgets)) as service:
        told = bench(service.address, *QUICK, "--sample", 100, "--json", found)
        kept = len(service.records)

    [step] = report(found).steps
    assert told.returncode == 1
    assert step.kept.sampled == step.created == 20
    assert step.kept.lost > 0
    assert step.kept.lost + step.kept.unended == 20
    assert kept <= 1 + 20
    assert f"ACKNOWLEDGED AND LOST: {step.kept.lost}" in told.stdout


def test_what_is_there_with_another_time_or_content_is_changed(found: Path) -> None:
    def creates_anew(service: Scripted, exchange: Exchange) -> None:
        service.keep_contract(exchange)
        for record in service.records.values():
            record["created_at"] = "2026-01-01T00:00:00.000001Z"

    with scripted(*always(creates_anew)) as service:
        told = bench(service.address, *QUICK, "--json", found)

    assert told.returncode == 1
    assert report(found).steps[0].kept.changed == 20


def test_what_is_refused_is_counted_by_status_and_is_no_part_of_the_latency(found: Path) -> None:
    with scripted(keeps, *always(refuses(500))) as service:
        told = bench(service.address, *QUICK, "--json", found)

    [step] = report(found).steps
    assert (step.sent, step.refused, step.times, step.kept.sampled) == (20, {"500": 20}, None, 0)
    assert "failed some with 5xx" in told.stdout


def test_when_an_answer_is_lost_the_same_request_is_sent_again_and_told_as_replayed(found: Path) -> None:
    with scripted(keeps, breaks_after_storing) as service:
        told = bench(service.address, *QUICK, "--connections", 1, "--json", found)
        records = len(service.records)

    assert told.returncode == 0, told.stderr
    [step] = report(found).steps
    assert step.sent == 20 == records - 1
    assert (step.created, step.replayed, step.unanswered) == (19, 1, 0)
    assert sum(step.broken.values()) == 1


def test_a_stall_is_charged_to_all_that_was_due_meanwhile(found: Path) -> None:
    """One that waits for an answer before it sends the next would see a single slow one."""

    def stalls(service: Scripted, exchange: Exchange) -> None:
        threading.Event().wait(STALL_SECONDS)
        service.keep_contract(exchange)

    with scripted(keeps, stalls) as service:
        told = bench(
            service.address, "--rate", 100, "--seconds", 0.5, "--warm-up", 0, "--connections", 1, "--patience", 0.1,
            "--json", found,
        )  # fmt: skip

    [step] = report(found).steps
    assert step.created == 50
    assert step.times
    assert step.times.most >= STALL_SECONDS
    assert step.times.p50 >= STALL_SECONDS - 0.26, "half of them were due in the first 0.25 s"
    assert "for a connection" in told.stdout
    assert step.achieved <= 50 / STALL_SECONDS


def test_one_that_never_answers_is_given_up_and_counts_as_the_whole_timeout(found: Path) -> None:
    never = threading.Event()

    def hangs(service: Scripted, exchange: Exchange) -> None:  # noqa: ARG001
        never.wait(PATIENCE_SECONDS)
        exchange.reset()

    with scripted(keeps, *always(hangs)) as service:
        told = bench(service.address, "--rate", 20, "--seconds", 0.2, "--warm-up", 0, "--timeout", 0.5, "--json", found)
        never.set()

    assert told.returncode == 0, told.stderr
    [step] = report(found).steps
    assert (step.sent, step.unanswered, step.broken) == (4, 4, {"no answer in time": 4})
    assert step.times
    assert step.times.p50 >= 0.5


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_and_what_there_is_is_told(found: Path) -> None:
    arguments = ("--rate", 20, "--seconds", 600, "--warm-up", 0, "--json", found)
    with (
        scripted() as service,
        subprocess.Popen(
            command(service.address, *arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        until(lambda: len(service.came) > 10, "some requests")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 130, err
    assert "Traceback" not in err
    [step] = report(found).steps
    assert 10 <= step.created == step.sent < 12_000
    assert step.kept.unended == step.kept.sampled == step.created
    assert "201 created" in out


def test_the_key_is_never_shown(tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    with scripted() as service:
        told = bench(service.address, *QUICK, "--json", found, ACUSE_KEY="secret-key")
    helped = bench(service.address, "--help", ACUSE_KEY="secret-key")

    assert service.came[-1].headers["authorization"] == "Bearer secret-key"
    assert "secret-key" not in told.stdout + told.stderr + found.read_text() + helped.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--rate", 2000), 2, "--yes"),
        (("--rate", 0), 2, "above 0"),
        (("--bulk", 5000), 2, "at most"),
        (("--members", "[]"), 2, "not a JSON object"),
        (("--json", "/nowhere/found.json"), 2, "cannot be written"),
        ((), 3, "could not be stored"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_sent(arguments: Any, code: int, said: str) -> None:
    told = bench("http://127.0.0.1:9", "--timeout", 0.2, *arguments)

    assert (told.returncode, said in told.stderr) == (code, True), told.stderr
