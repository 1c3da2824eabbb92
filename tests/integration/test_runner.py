"""A runner is a real process; whatever happens to it is an outcome."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from acuse.adapters import runners
from acuse.adapters.runners import ProcessRunner
from acuse.config import Settings
from acuse.domain.errors import RunnerUnavailable
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Reason
from acuse.domain.task import Step, Task
from tests.requests import submission

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIONS = str(Path(__file__).parent.parent / "actions.py")
LONG = timedelta(seconds=60)
SHORT = timedelta(milliseconds=50)


def environment(**settings: Any) -> dict[str, str]:
    return {**os.environ, **Settings(actions=(ACTIONS,), **settings).to_environment()}


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[ProcessRunner]:
    made = ProcessRunner(environment(data=tmp_path))
    yield made
    made.kill()


def task(step: Step = Step.RUN, **members: Any) -> Task:
    sent = submission(**members)
    return Task(
        id=sent.id, part=0, attempt=1, step=step, action=sent.action, body=sent.body, time_limit=timedelta(seconds=1)
    )


def misbehaving(how: str) -> Task:
    return task(action="misbehaves", how=how)


def pid(outcome: Outcome | None) -> int:
    assert isinstance(outcome, Done)
    return int(msgspec.json.decode(outcome.result)["pid"])


def echo(runner: ProcessRunner) -> int:
    """The runner still works; its process id."""
    runner.start([task(action="echo")])
    return pid(runner.next(LONG))


def test_tasks_are_run_in_order_in_another_process(runner: ProcessRunner) -> None:
    runner.start([task(action="echo"), task(Step.SPLIT, action="sums", upto=2), task(action="echo")])

    first, planned, third = (runner.next(LONG) for _ in range(3))

    assert pid(first) == pid(third) != os.getpid()
    assert planned == Planned((b"1", b"2"))


def test_one_process_serves_many_chunks(runner: ProcessRunner) -> None:
    assert echo(runner) == echo(runner)


def test_a_large_chunk_gets_through(runner: ProcessRunner) -> None:
    tasks = [task(action="echo", text="x" * 10_000) for _ in range(100)]
    runner.start(tasks)

    assert all(isinstance(runner.next(LONG), Done) for _ in tasks)


def test_a_run_under_way_has_no_outcome_yet(runner: ProcessRunner) -> None:
    runner.start([misbehaving("hangs")])

    assert runner.next(SHORT) is None


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("leaves", "exited with code 3"),
        ("dies", "killed by SIGKILL"),
        ("forks-and-dies", "exited with code 4"),
        ("closes-everything", "cut its process off"),
    ],
)
def test_a_process_that_is_gone_is_a_crash_and_the_next_one_works(runner: ProcessRunner, how: str, says: str) -> None:
    runner.start([misbehaving(how), task(action="echo")])

    outcome = None
    while outcome is None:
        outcome = runner.next(SHORT)

    assert isinstance(outcome, Again)
    assert outcome.failure.reason is Reason.CRASHED
    assert says in outcome.failure.detail
    assert echo(runner)


@pytest.mark.parametrize("how", ["hangs", "hangs-deaf"])
def test_a_run_can_be_killed_whatever_it_does(runner: ProcessRunner, how: str) -> None:
    before = echo(runner)
    runner.start([misbehaving(how)])
    assert runner.next(SHORT) is None

    runner.kill()

    assert echo(runner) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_what_is_withdrawn_is_not_begun(runner: ProcessRunner, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    notes = [task(action="notes", book=str(book), until=str(go)) for _ in range(3)]
    runner.start(notes)
    assert runner.next(SHORT) is None

    runner.withdraw()
    go.touch()

    assert isinstance(runner.next(LONG), Done)
    assert echo(runner)
    assert book.read_text().splitlines() == ["run"]


@pytest.mark.parametrize(("how", "kind"), [("raises", Again), ("exits", Again), ("refuses", Failed)])
def test_what_an_action_raises_does_not_end_the_process(runner: ProcessRunner, how: str, kind: type) -> None:
    before = echo(runner)
    runner.start([misbehaving(how)])

    assert isinstance(runner.next(LONG), kind)
    assert echo(runner) == before


def test_what_an_action_prints_goes_to_the_log(runner: ProcessRunner, capfd: pytest.CaptureFixture[str]) -> None:
    runner.start([misbehaving("prints")])

    assert runner.next(LONG) == Done(b'"survived"')
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["noise", "more noise"]


def test_a_process_that_cannot_be_started_is_unavailable(tmp_path: Path) -> None:
    broken = ProcessRunner({**environment(data=tmp_path), "ACUSE_ACTIONS": "no.such.module"})

    with pytest.raises(RunnerUnavailable):
        broken.start([task(action="echo")])
    with pytest.raises(RunnerUnavailable):
        broken.next(SHORT)


def test_a_runner_ends_with_its_worker(tmp_path: Path) -> None:
    """Its end of the channel closes when the worker is gone, however it went."""
    runner = ProcessRunner(environment(data=tmp_path))
    echo(runner)
    assert runner._channel is not None
    assert runner._process is not None

    with closing(runner._channel):
        pass

    assert runner._process.wait(30) == 0
    assert runners.MODULE in " ".join(map(str, runner._process.args))  # type: ignore[arg-type]
