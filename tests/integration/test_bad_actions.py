"""Whatever an action does: its request ends as the table says, and neither worker nor next run takes harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from acuse.adapters.runners import ProcessRunner
from acuse.bootstrap import load_catalogue
from acuse.config import Settings
from acuse.domain.errors import Misconfigured
from acuse.domain.outcome import Again, Done, Outcome
from acuse.entrypoints.runner import OOM_SCORE
from tests.acceptance.service import Running, exists, until
from tests.integration.test_runner import ended, task

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent.parent
ACTIONS = (TESTS / "bad_actions.py", TESTS / "endless_actions.py")
MAX_MEMORY = 256 << 20
TIMED_OUT = ("timed-out", "stopped after its time limit of 0.5 s")

WHOLE = """
from acuse import Action

class Whole(Action, tag="whole"):
    def run(self) -> None: ...
"""

ENDS: dict[tuple[str, str], tuple[str, str]] = {
    ("bad", "raises"): ("raised", "ValueError: no"),
    ("bad", "exits"): ("raised", "SystemExit: 3"),
    ("bad", "ends"): ("crashed", "ended with code 3"),
    ("bad", "ends well"): ("crashed", "ended with code 0"),
    ("bad", "interrupts"): ("raised", "KeyboardInterrupt: stop"),
    ("bad", "closes a generator"): ("raised", "GeneratorExit: closed"),
    ("bad", "cancels"): ("raised", "CancelledError: cancelled"),
    ("bad", "recurses"): ("raised", "RecursionError: maximum recursion depth"),
    ("bad", "reads nothing"): ("crashed", "killed by SIGSEGV"),
    ("bad", "aborts"): ("crashed", "killed by SIGABRT"),
    ("bad", "is killed"): ("crashed", "killed by SIGKILL by the system, which may have been out of memory"),
    ("bad", "is terminated"): ("crashed", "killed by SIGTERM"),
    ("bad", "hoards"): ("raised", "out of memory, see ACUSE_MAX_MEMORY: MemoryError"),
    ("bad", "wants a tebibyte"): ("raised", "out of memory"),
    ("bad", "hoards in a child"): ("raised", "returned non-zero exit status 1"),
    ("bad", "opens all"): ("raised", "Too many open files"),
    ("bad", "fills the disk"): ("raised", "No space left on device"),
    ("bad", "says what fails"): ("raised", "OddError: (its message cannot be read)"),
    ("bad", "says much"): ("raised", "OddError: xxx"),
    ("bad", "says a surrogate"): ("raised", "OddError: ?"),
    ("bad", "says NUL"): ("raised", "OddError: a\0b"),
    ("bad", "has a long name"): ("raised", "XXX"),
    ("bad", "fails in a task"): ("raised", "(1 sub-exception); the first: ValueError: in a task"),
    ("bad", "overfills"): ("bad-result", "65537 bytes of JSON where 65536 are allowed"),
    ("bad", "returns 100 MB"): ("bad-result", "more than 65536 bytes of JSON"),
    ("bad", "returns 100 MB within"): ("bad-result", "more than 65536 bytes of JSON"),
    ("bad", "returns 1 GB"): ("raised", "out of memory"),
    ("bad", "nests deeper"): ("bad-result", "nested deeper than 30 levels"),
    ("bad", "nests without end"): ("bad-result", "not JSON: maximum recursion depth"),
    ("bad", "holds itself"): ("bad-result", "not JSON: maximum recursion depth"),
    ("bad", "returns an object"): ("bad-result", "objects of type object"),
    ("bad", "returns a generator"): ("bad-result", "objects of type generator"),
    ("bad", "returns a surrogate"): ("bad-result", "surrogates not allowed"),
    ("bad", "has a tuple for a name"): ("bad-result", "Only dicts with str-like"),
    ("bad", "has equal names"): ("bad-result", "a name occurs twice"),
    ("bad", "has equal names in Raw"): ("bad-result", "a name occurs twice"),
    ("bad", "returns garbage"): ("bad-result", "not JSON: Input data was truncated"),
    ("bad", "returns a surrogate in Raw"): ("bad-result", "not JSON"),
    ("bad", "writes everywhere"): ("crashed", "cut its process off"),
    ("bad", "reads"): ("raised", "EOFError"),
    ("bad", "closes everything"): ("crashed", "cut its process off"),
    ("endless", "loops"): TIMED_OUT,
    ("endless", "loops in C"): TIMED_OUT,
    ("endless", "matches"): TIMED_OUT,
    ("endless", "is deaf"): TIMED_OUT,
    ("endless", "sleeps"): TIMED_OUT,
    ("endless", "locks"): TIMED_OUT,
    ("endless", "never ends"): TIMED_OUT,
    ("endless", "leaves a stubborn task"): TIMED_OUT,
    ("endless", "says without end"): TIMED_OUT,
    ("bad-split", "stops"): ("raised", "StopIteration: stop"),
    ("bad-split", "fails half way"): ("raised", "ValueError: half way"),
    ("bad-split", "never ends"): ("bad-result", "more than 10000 parts"),
    ("bad-split", "is huge"): ("bad-result", "more than 65536 bytes of JSON"),
    ("bad-split", "is no list"): ("raised", "TypeError: 'int' object is not iterable"),
    ("bad-split", "is asynchronous"): ("raised", "'async_generator' object is not iterable"),
}
FINISHES: dict[tuple[str, str], Any] = {
    ("bad", "fills"): "x" * 65_534,
    ("bad", "nests"): msgspec.json.decode(b"[" * 30 + b"]" * 30),
    ("bad", "returns no number"): [None, None],
    ("bad", "returns a set"): [3],
    ("bad", "returns bytes"): "eA==",
    ("bad", "has numbers for names"): {"1": 2, "2.5": 3},
    ("bad", "returns a huge number"): [10**200, 1e300],
    ("bad", "returns lines"): {"a": 1},
    ("bad", "prints"): "printed",
    ("bad", "forks"): "the parent",
    ("bad", "forks and exits"): "the parent",
    ("bad", "forks and fails"): "the parent",
    ("bad", "leaves a task"): "left",
    ("bad-split", "is well"): "nothing taken of generator",
}
PUT_BACK = {"moves": "moved", "sets signals": "set", "ends later": "later"}
REPLACED = {
    "forks and goes on": "the parent",
    "starts a thread": "started",
    "closes the standard streams": "closed",
    "keeps": "kept",
    "opens half": "opened",
    "lowers limits": "lowered",
    "steps back": "stepped back",
    "blocks a signal": "blocked",
}


class Table:
    """The service, to which every request of the table was sent at once."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.workers = service.pids("worker")
        self.sent = {one: service.accept(action=one[0], how=one[1]) for one in (*ENDS, *FINISHES)}

    def ended(self, one: tuple[str, str]) -> dict[str, Any]:
        record = self.service.ended(self.sent[one])
        assert self.service.ended(self.service.accept(action="good"))["status"] == "finished"
        assert self.service.pids("worker") == self.workers
        return record


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    data = tmp_path_factory.mktemp("bad") / "data"
    bounds = {"ACUSE_MAX_MEMORY": str(MAX_MEMORY), "ACUSE_RUNNERS": "4", "ACUSE_WORKERS": "1"}
    with Running(data, "--actions", ACTIONS[1], actions=ACTIONS[0], **bounds) as service:
        yield Table(service)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessRunner]:
    data = tmp_path_factory.mktemp("runner")
    settings = Settings(actions=tuple(map(str, ACTIONS)), data=data, max_memory=MAX_MEMORY)
    made = ProcessRunner({**os.environ, **settings.to_environment()})
    yield made
    made.kill()


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Path]:
    """Where a run writes the number of a process that it leaves; the process is ended."""
    book = tmp_path / "left"
    yield book
    if book.exists() and exists(int(book.read_text())):
        os.kill(int(book.read_text()), signal.SIGKILL)


def outcome(runner: ProcessRunner, **members: Any) -> Outcome:
    runner.begin(task(**members))
    return ended(runner)


def found(runner: ProcessRunner, seconds: float = 0.0) -> dict[str, Any]:
    """What a good run finds."""
    done = outcome(runner, action="good", seconds=seconds)
    assert isinstance(done, Done), done
    told: dict[str, Any] = msgspec.json.decode(done.result)
    return told


def pid(runner: ProcessRunner) -> int:
    assert runner._process is not None
    return runner._process.pid


@pytest.mark.parametrize("one", ENDS, ids=" ".join)
def test_what_an_action_must_not_do_ends_it_as_failed_and_says_why(table: Table, one: tuple[str, str]) -> None:
    record = table.ended(one)

    reason, word = ENDS[one]
    assert (record["status"], record["error"]["reason"], record["attempts"]) == ("failed", reason, 1)
    assert word in record["error"]["detail"]
    assert len(record["error"]["detail"]) <= 2_000


@pytest.mark.parametrize("one", FINISHES, ids=" ".join)
def test_what_an_action_may_do_ends_it_as_finished(table: Table, one: tuple[str, str]) -> None:
    record = table.ended(one)

    assert (record["status"], record["result"], record["attempts"]) == ("finished", FINISHES[one], 1)


@pytest.mark.parametrize("how", PUT_BACK)
def test_what_a_run_changed_of_its_process_is_put_back(runner: ProcessRunner, how: str) -> None:
    before = found(runner)
    first = pid(runner)

    assert outcome(runner, action="bad", how=how) == Done(msgspec.json.encode(PUT_BACK[how]))

    assert found(runner, seconds=0.3) == before
    assert pid(runner) == first


@pytest.mark.parametrize("how", REPLACED)
def test_a_process_in_which_a_run_left_something_is_replaced(runner: ProcessRunner, how: str) -> None:
    before = found(runner)
    first = pid(runner)

    assert outcome(runner, action="bad", how=how) == Done(msgspec.json.encode(REPLACED[how]))

    assert not exists(first)
    assert found(runner) == before
    assert pid(runner) != first


def test_a_run_that_opened_all_files_leaves_none_of_them_to_the_next(runner: ProcessRunner) -> None:
    before = found(runner)

    assert isinstance(outcome(runner, action="bad", how="opens all"), Again)

    assert found(runner) == before


def test_a_command_inherits_nothing_by_which_the_runner_talks_to_its_worker(runner: ProcessRunner) -> None:
    assert found(runner)["inherited"] == []


@pytest.mark.parametrize("how", ["leaves a session", "leaves a session and dies"])
def test_a_process_that_escapes_from_its_group_holds_nobody_up(runner: ProcessRunner, left: Path, how: str) -> None:
    """It has the runner's end of the channel, and lives on."""
    outcome(runner, action="endless", how=how, book=str(left))

    assert found(runner)
    assert exists(int(left.read_text()))


def test_a_bomb_of_forks_is_gone_when_its_run_is_stopped(runner: ProcessRunner, tmp_path: Path) -> None:
    book = tmp_path / "book"
    runner.begin(task(action="endless", how="bombs", book=str(book)))
    until(lambda: book.exists() and len(book.read_text().splitlines()) == 36, "the bomb")

    runner.kill()

    until(lambda: not any(exists(int(one)) for one in book.read_text().splitlines()), "the end of the bomb")
    assert found(runner)


@pytest.mark.parametrize("how", ["loops in C", "is stopped"])
def test_a_runner_ends_with_its_worker_whatever_its_run_does(runner: ProcessRunner, tmp_path: Path, how: str) -> None:
    """Also where no thread of its own could see to it."""
    book = tmp_path / "book"
    runner.begin(task(action="endless", how=how, book=str(book)))
    until(lambda: book.exists() and book.read_text(), "the run")
    assert runner._lifeline is not None
    assert runner._process is not None

    os.close(runner._lifeline)
    runner._lifeline = None

    assert runner._process.wait(30) == -signal.SIGKILL


def test_a_system_out_of_memory_takes_a_run_first(runner: ProcessRunner) -> None:
    runner.ready()

    assert Path(f"/proc/{pid(runner)}/oom_score_adj").read_text() == f"{OOM_SCORE}\n"


def test_a_lower_bound_that_was_there_before_is_kept() -> None:
    script = (
        "import resource; from acuse.entrypoints.runner import bound_memory;"
        "resource.setrlimit(resource.RLIMIT_DATA, (500_000_000, resource.RLIM_INFINITY));"
        "bound_memory(1_000_000_000); print(resource.getrlimit(resource.RLIMIT_DATA)[0])"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert told.stdout == "500000000\n"


def test_a_file_that_broke_off_is_not_taken_for_what_it_has_defined_by_then(tmp_path: Path) -> None:
    file = tmp_path / "half.py"
    file.write_text(f"{WHOLE}\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(Misconfigured, match="ZeroDivisionError"):
            load_catalogue([str(file)])

    file.write_text(WHOLE)
    assert "whole" in load_catalogue([str(file)])
