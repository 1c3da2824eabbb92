"""`acuse retry` as an operator runs it."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.kept import Kept
from tests.acceptance.service import until
from tests.requests import new_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "data")


def test_each_id_is_answered(kept: Kept) -> None:
    [failed], [finished], unknown = kept.failed(), kept.finished(), new_id()

    told = kept.run("retry", failed.upper(), finished, unknown)

    assert (told.returncode, told.stdout.splitlines()) == (
        1,
        [
            f"{failed} accepted again",
            f"{finished} is not a failed request",
            f"{unknown} is not a failed request",
        ],
    )


def test_what_nobody_is_told_of_any_more_is_left_alone(kept: Kept) -> None:
    """So many that their answers fill a pipe."""
    ids = kept.many(3_000)

    with kept.running("retry", *ids) as retry:
        assert retry.stdout
        retry.stdout.readline()
        retry.stdout.close()

    assert retry.returncode == 141
    assert kept.counted("failed") > 0


def test_all_that_failed_and_fit_are_accepted_again_and_no_other(kept: Kept) -> None:
    old, fitting, report = kept.failed(3), kept.failed(2), kept.failed(action="report")
    finished = kept.finished()
    fits = ("--failed", "--action", "delay", "--since", "2026-01-01T00:00:03Z")

    dry = kept.run("retry", *fits, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "2 requests would be accepted again\n")
    assert kept.listed("--status", "accepted") == []

    done = kept.run("retry", *fits)

    assert (done.returncode, done.stdout, done.stderr) == (0, "2 requests are accepted again\n", "")
    assert kept.listed("--status", "accepted") == fitting[::-1]
    assert kept.listed("--status", "failed") == [*report, *old[::-1]]
    assert kept.listed("--status", "finished") == finished


def test_an_interrupt_ends_it_and_it_says_how_many_are_accepted_again(kept: Kept) -> None:
    kept.many(5_000)
    with kept.running("retry", "--failed") as retry:
        until(lambda: kept.counted("accepted"), "one that is accepted again")
        retry.send_signal(signal.SIGINT)
        out, error = retry.communicate()

    [told] = re.findall(r"(\d+) requests are accepted again", out)
    assert (retry.returncode, error) == (130, "")
    assert 0 < int(told) < 5_000
    assert kept.counted("accepted") == int(told)


@pytest.mark.parametrize(
    "arguments",
    [(), ("--failed", new_id()), (new_id(), "--dry-run"), (new_id(), "--since", "1h"), ("not-an-id",)],
)
def test_what_is_not_clear_is_refused_and_changes_nothing(kept: Kept, arguments: tuple[str, ...]) -> None:
    failed = kept.failed()

    told = kept.run("retry", *failed[: arguments == ("not-an-id",)], *arguments)

    assert (told.returncode, told.stdout, kept.counted("failed")) == (2, "", 1)
