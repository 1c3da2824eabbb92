"""A runner is a real process; whatever happens to it is an outcome."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from acuse.adapters import channel
from acuse.adapters.runners import ProcessRunner
from acuse.config import Settings
from acuse.domain.errors import RunnerUnavailable
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Reason
from acuse.domain.task import Step, Task
from tests.acceptance.service import exists, until
from tests.requests import submission

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIONS = str(Path(__file__).parent.parent / "actions.py")
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


def outcome_of(runner: ProcessRunner, one: Task) -> Outcome:
    runner.begin(one)
    return ended(runner)


def ended(runner: ProcessRunner) -> Outcome:
    """The outcome of the task under way, looked for as a slot does."""
    outcome = None
    while outcome is None:
        outcome = runner.outcome(SHORT)
    return outcome


def echo(runner: ProcessRunner) -> int:
    """The runner works; its process id."""
    outcome = outcome_of(runner, task(action="echo"))
    assert isinstance(outcome, Done)
    return int(msgspec.json.decode(outcome.result)["pid"])


def test_tasks_are_run_one_after_another_in_one_other_process(runner: ProcessRunner) -> None:
    first = echo(runner)

    assert outcome_of(runner, task(Step.SPLIT, action="sums", upto=2)) == Planned((b"1", b"2"))
    assert echo(runner) == first != os.getpid()


def test_a_large_request_gets_through(runner: ProcessRunner) -> None:
    assert isinstance(outcome_of(runner, task(action="echo", note="x" * 1_000_000)), Done)


def test_a_run_under_way_has_no_outcome_yet(runner: ProcessRunner) -> None:
    runner.begin(misbehaving("hangs"))

    assert runner.outcome(SHORT) is None


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("leaves", "ended with code 3"),
        ("dies", "killed by SIGKILL"),
        ("dies-strangely", "killed by signal 40"),
        ("forks-and-dies", "ended with code 4"),
        ("closes-everything", "cut its process off"),
        ("babbles", "cut its process off"),
    ],
)
def test_a_process_that_is_gone_is_a_crash_and_the_next_one_works(runner: ProcessRunner, how: str, says: str) -> None:
    outcome = outcome_of(runner, misbehaving(how))

    assert isinstance(outcome, Again)
    assert outcome.failure.reason is Reason.CRASHED
    assert says in outcome.failure.detail
    assert echo(runner)


@pytest.mark.parametrize("how", ["hangs", "hangs-deaf", "stops"])
def test_a_run_can_be_killed_whatever_it_does(runner: ProcessRunner, how: str) -> None:
    before = echo(runner)
    runner.begin(misbehaving(how))
    assert runner.outcome(SHORT) is None

    runner.kill()

    assert echo(runner) != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


@pytest.mark.parametrize(
    ("how", "kind"), [("raises", Again), ("exits", Again), ("refuses", Failed), ("mistakes", Again)]
)
def test_what_an_action_raises_does_not_end_the_process(runner: ProcessRunner, how: str, kind: type) -> None:
    before = echo(runner)

    assert isinstance(outcome_of(runner, misbehaving(how)), kind)
    assert echo(runner) == before


def test_a_process_that_a_run_forked_has_nothing_to_say(runner: ProcessRunner) -> None:
    before = echo(runner)

    assert outcome_of(runner, misbehaving("forks-and-returns")) == Done(b'"the parent"')
    assert outcome_of(runner, misbehaving("forks-and-exits")) == Done(b'"the parent"')
    assert echo(runner) == before


def test_a_runner_that_is_gone_between_two_tasks_is_replaced(runner: ProcessRunner) -> None:
    before = echo(runner)
    os.kill(before, signal.SIGKILL)
    assert runner._process is not None
    runner._process.wait()

    assert echo(runner) != before


def test_a_runner_that_takes_no_task_is_replaced(runner: ProcessRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "SEND_SECONDS", 0.2)
    before = echo(runner)
    os.kill(before, signal.SIGSTOP)

    outcome = outcome_of(runner, task(action="echo", note="x" * 4_000_000))

    assert isinstance(outcome, Done)
    assert msgspec.json.decode(outcome.result)["pid"] != before


def test_what_an_action_prints_goes_to_the_log(runner: ProcessRunner, capfd: pytest.CaptureFixture[str]) -> None:
    assert outcome_of(runner, misbehaving("prints")) == Done(b'"survived"')

    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["noise", "more noise"]


def test_a_process_that_cannot_be_started_is_unavailable(tmp_path: Path) -> None:
    broken = ProcessRunner({**environment(data=tmp_path), "ACUSE_ACTIONS": "no.such.module"})

    with pytest.raises(RunnerUnavailable):
        broken.begin(task(action="echo"))
    with pytest.raises(RunnerUnavailable):
        broken.outcome(SHORT)


def waiting_for_a_command(runner: ProcessRunner, book: Path) -> int:
    """The process id of a command that the run under way has started."""
    runner.begin(task(action="misbehaves", how="waits-for-a-command", book=str(book)))
    until(lambda: book.exists() and len(book.read_text().splitlines()) == 2, "the command")
    return int(book.read_text().splitlines()[1])


def test_what_a_run_started_is_killed_with_it(runner: ProcessRunner, tmp_path: Path) -> None:
    command = waiting_for_a_command(runner, tmp_path / "book")
    assert exists(command)

    runner.kill()

    until(lambda: not exists(command), "the end of the command")


def test_a_runner_and_all_that_its_run_started_end_with_the_worker(runner: ProcessRunner, tmp_path: Path) -> None:
    """The worker's end of the lifeline closes when it is gone, however it went."""
    command = waiting_for_a_command(runner, tmp_path / "book")
    assert exists(command)
    assert runner._lifeline is not None
    assert runner._process is not None

    os.close(runner._lifeline)
    runner._lifeline = None

    assert runner._process.wait(30) == -signal.SIGKILL
    until(lambda: not exists(command), "the end of the command")


@pytest.mark.parametrize("parting", [None, timedelta(0), timedelta(seconds=30)])
def test_a_runner_that_is_to_end_is_gone_whether_it_had_time_to_or_not(
    tmp_path: Path, parting: timedelta | None
) -> None:
    runner = ProcessRunner(environment(data=tmp_path), parting=parting)
    pid = echo(runner)

    runner.end()

    assert not exists(pid)
    assert echo(runner) != pid
    os.kill(echo(runner), signal.SIGKILL)
    runner.end()
