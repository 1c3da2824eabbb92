"""The ledger, the load and the report; a leak in a real runner; and a short run of the whole."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from acuse.adapters.runners import ProcessRunner
from acuse.config import Settings
from acuse.domain.outcome import Done
from acuse.domain.task import Step, Task
from tests.acceptance.service import until
from tests.requests import submission
from tests.soak.__main__ import ACTIONS
from tests.soak.ledger import Answer, Ledger, Row
from tests.soak.load import judged
from tests.soak.measures import MEASURES, Sample
from tests.soak.processes import Process, processes, tree, values
from tests.soak.report import Outcome, lines
from tests.soak.shot import Kind, Sent, Shot, shot

ROOT = Path(__file__).parents[2]


def row(status: str = "accepted", finished_at: int | None = None) -> Row:
    return Row(status, 1_000_000, finished_at)


FINISHED = row("finished", 3_000_000)


def test_what_ends_once_and_stays_so_is_well() -> None:
    ledger = Ledger(30)

    ledger.take([Answer("single", 0.1, accepted=("a",))], 0)
    assert (ledger.due(0), ledger.look({"a": row()}, 0), ledger.open) == (["a"], [], 1)
    assert (ledger.look({"a": FINISHED}, 1), ledger.open) == ([2.0], 0)
    ledger.take([Answer("replay", 0.1, seen=(("a", row()),)), Answer("replay", 0.1, seen=(("a", FINISHED),))], 2)
    assert (ledger.due(5), ledger.due(11)) == ([], ["a"])
    ledger.look({"a": FINISHED}, 11)

    assert (ledger.faults, ledger.due(100), ledger.ended_as) == ([], [], {"finished": 1})


@pytest.mark.parametrize("later", [None, row(), row("finished", 4_000_000), row("failed", 3_000_000)])
def test_what_is_lost_or_ends_otherwise_is_a_fault(later: Row | None) -> None:
    ledger = Ledger(30)
    ledger.take([Answer("single", 0.1, accepted=("a", "b"))], 0)
    ledger.look({"a": FINISHED, "b": row()}, 1)
    assert ledger.due(11) == ["b", "a"]

    ledger.look({"b": row()} if later is None else {"a": later, "b": row()}, 11)

    assert len(ledger.faults) == ledger.counts["faults"] == 1
    assert "a" in ledger.faults[0]


def test_what_is_purged_when_its_time_has_come_is_no_fault_though_the_second_look_is_late() -> None:
    ledger = Ledger(30)
    ledger.take([Answer("single", 0.1, accepted=("a",))], 0)
    ledger.look({"a": FINISHED}, 4)

    assert ledger.due(33) == ["a"]
    ledger.look({}, 33)

    assert ledger.faults == []


def test_an_ending_that_differs_in_an_answer_is_a_fault() -> None:
    ledger = Ledger(30)
    ledger.take([Answer("single", 0.1, accepted=("a",))], 0)
    ledger.look({"a": FINISHED}, 1)

    ledger.take([Answer("replay", 0.1, seen=(("a", row("failed", 5)),))], 2)

    assert ledger.faults[0].startswith("ended twice: a")


def test_what_was_acknowledged_and_is_not_there_is_lost() -> None:
    ledger = Ledger(30)
    ledger.take([Answer("single", 0.1, accepted=("a",)), Answer("deaf", 0.1, doubtful=("b", "c"))], 0)

    ledger.look({"c": row()}, 1)

    assert (ledger.faults, ledger.open, ledger.counts["accepted, not heard"]) == (["lost: a"], 1, 1)
    ledger.look({"c": FINISHED}, 11)
    assert (ledger.faults, ledger.open) == (["lost: a"], 0)


def test_an_answer_that_was_not_expected_is_a_fault() -> None:
    what = Shot(kind=Kind.SINGLE, body=b"{}", requests=(Sent("a", b"{}"),), expected=(201, 200))

    assert judged(what, 201, b"{}", 0).accepted == ("a",)
    assert judged(what, 503, b"{}", 0)[3:6] == (("a",), (), "{}")
    assert judged(what, 500, b"{}", 0).wrong.startswith("500")


def test_a_bulk_answer_must_tell_of_each_in_order() -> None:
    what = Shot(kind=Kind.BULK, body=b"", requests=(Sent("a", b""), Sent("b", b"")), expected=(207,))
    a, b, totals = b'{"id":"a","status":201}\n', b'{"id":"b","status":503}\n', b'{"totals":{}}\n'

    assert judged(what, 207, a + b + totals, 0)[2:4] == (("a",), ("b",))
    assert judged(what, 207, b + a + totals, 0).wrong
    assert judged(what, 207, a + totals, 0).wrong
    assert judged(what, 207, a + b + b'{"totals":{},"problem":{}}\n', 0).wrong
    assert judged(what, 207, a + b'{"id":"b","status":500}\n' + totals, 0).wrong


def test_a_seed_makes_the_same_shots_of_every_kind() -> None:
    recent = [Sent("a", b'{"id":"a","action":"short"}')]
    shots = [shot(1, number, recent) for number in range(3_000)]

    assert shots == [shot(1, number, recent) for number in range(3_000)]
    assert {one.kind for one in shots} == set(Kind)
    assert len({sent.id for one in shots for sent in one.requests} - {"a"}) > 2_500
    assert b"leaking" not in b"".join(one.body for one in shots)
    assert b"leaking" in b"".join(shot(1, number, recent, 8).body for number in range(50))


def test_the_processes_are_those_below_the_supervisor() -> None:
    listing = [
        "7 1 2048 python -m acuse serve", '8 7 1024 python -m acuse.entrypoints.process {"kind":"worker","parent":7}',
        "9 8 512 python -m acuse.entrypoints.runner 5 6", "10 8 0 [python] <defunct>", "11 1 512 python -m acuse work",
        "12 9 1024 sleep 5",
    ]  # fmt: skip

    assert tree(7, listing) == [
        Process(7, "supervisor", 2), Process(8, "workers", 1), Process(9, "runners", 0.5), Process(12, "others", 1),
    ]  # fmt: skip


def outcome(**members: Any) -> Outcome:
    samples = [Sample(float(at), {"rss_api": 100.0 + at, "wal": 1.0}) for at in range(100)]
    sound: dict[str, Any] = {
        "seconds": 100, "rate": 10, "seed": 1, "warm_up": 20, "samples": samples, "ended_as": {"finished": 5},
        "counts": {"accepted": 5, "single": 9}, "faults": [], "not_ended": 0, "left_behind": 0, "purges": 0,
        "purged": 0, "late_p99": 0.0, "drained": 0,
    }  # fmt: skip
    return Outcome(**sound | members)


def test_a_run_in_which_something_grows_says_so() -> None:
    said = "\n".join(lines(outcome()))

    assert outcome().growing == ["rss_api"]
    assert said.endswith("100 s at 10 requests/s: 5 accepted, all ended once; GROWING: api (memory)")


def test_a_run_that_did_not_keep_its_rate_says_so() -> None:
    assert "THE RATE WAS NOT KEPT" in "\n".join(lines(outcome(late_p99=0.5)))
    assert "THE RATE WAS NOT KEPT" not in "\n".join(lines(outcome()))


@pytest.mark.parametrize("trouble", [{"faults": ["lost: a"]}, {"not_ended": 1}, {"left_behind": 1}], ids=str)
def test_a_run_in_which_something_went_wrong_is_not_whole(trouble: dict[str, Any]) -> None:
    assert outcome().is_whole
    assert not outcome(**trouble).is_whole
    assert "NOT ALL WELL" in outcome(**trouble).headline


@pytest.mark.parametrize(("action", "grows"), [("leaking", True), ("short", False)])
def test_an_action_that_leaks_is_found_in_its_runner(action: str, grows: bool, tmp_path: Path) -> None:  # noqa: FBT001
    settings = Settings(data=tmp_path, actions=(str(ACTIONS),))
    runner = ProcessRunner({**os.environ, **settings.to_environment()})
    samples: list[Sample] = []
    try:
        for number in range(20):
            runner.begin(leaks(action))
            assert isinstance(until(lambda: runner.outcome(timedelta(seconds=1)), "the outcome"), Done)
            samples.append(Sample(float(number), dict(values(processes(os.getpid()), tmp_path))))
    finally:
        runner.kill()
    found = outcome(seconds=20, warm_up=0, samples=samples)

    assert ("rss_runners" in found.growing) == grows
    assert found.code == (2 if grows else 0)


def leaks(action: str) -> Task:
    sent = submission(action=action, kilobytes=2_048)
    return Task(
        id=sent.id, part=0, attempt=1, step=Step.RUN, action=action, body=sent.body, time_limit=timedelta(seconds=9)
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A short run of the whole, and where it left what it leaves."""
    folder = tmp_path_factory.mktemp("soak")
    command = [
        sys.executable, "-m", "tests.soak", "--seconds", "9", "--rate", "50", "--seed", "1", "--keep", "6",
        "--purge-every", "3", "--look-every", "0.25", "--folder", str(folder),
    ]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False), folder


def test_in_a_short_run_all_that_is_accepted_ends_once(ended: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    run, _ = ended

    # What else this machine does may look like growth for a few seconds.
    assert run.returncode == (2 if "; GROWING" in run.stdout else 0), run.stdout + run.stderr
    assert re.search(r"9 s at 50 requests/s: \d+ accepted, all ended once;", run.stdout)
    assert "not ended 0, lost, ended twice or answered wrong 0\n" in run.stdout
    assert re.search(r"purged    [1-9]", run.stdout)


def test_a_run_leaves_a_picture_and_its_samples(ended: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    run, folder = ended

    assert sorted(file.name for file in folder.iterdir()) == ["samples.csv", "soak.png"]
    assert f"picture   {folder / 'soak.png'}\n" in run.stdout
    pixels = imread(folder / "soak.png")
    assert min(pixels.shape[:2]) > 500
    assert pixels.std() > 0.05
    with (folder / "samples.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 5
    assert list(rows[0]) == ["second", *(one.name for one in MEASURES)]
    assert all(float(one["rss_api"]) > 0 and float(one["database"]) > 0 for one in rows)
