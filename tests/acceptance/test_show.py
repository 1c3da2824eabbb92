"""`acuse show` as an operator runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from acuse.domain.record import PAGE
from tests.acceptance.kept import Kept
from tests.acceptance.terminal import on_terminal
from tests.requests import new_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "data")


def test_a_record_is_shown_as_json_if_nothing_else_is_said(kept: Kept) -> None:
    [id_] = kept.finished(note="é", result=b'{"rows":2}')

    piped = kept.run("show", id_.upper())

    assert json.loads(piped.stdout)["result"] == {"rows": 2}
    assert json.loads(on_terminal("show", id_, "--data", kept.folder)) == json.loads(piped.stdout)


def test_text_tells_people_when_how_and_why(kept: Kept) -> None:
    [id_] = kept.failed(detail="no\nstatus     finished")

    assert kept.run("show", id_, "--format", "text").stdout.splitlines() == [
        f"request    {id_}",
        "action     delay",
        "status     failed",
        "created    2026-01-01T00:00:00.000000Z",
        "finished   2026-01-01T00:00:01.500000Z, 1.5 s later",
        "attempts   1",
        "reason     raised",
        "detail     no",
        "           status     finished",
        "received   {",
        f'             "id": "{id_}",',
        '             "action": "delay"',
        "           }",
    ]


def test_every_part_is_told_page_by_page(kept: Kept) -> None:
    id_ = kept.split("no", *[None] * (PAGE + 1))

    told = kept.run("show", id_, "--parts")
    as_text = kept.run("show", id_, "--parts", "--format", "text").stdout.splitlines()

    first, *others = [json.loads(line) for line in told.stdout.splitlines()]
    assert first == {
        "part": 1,
        "status": "failed",
        "created_at": "2026-01-01T00:00:01.000000Z",
        "finished_at": "2026-01-01T00:00:01.000000Z",
        "attempts": 1,
        "value": 1,
        "result": None,
        "error": {"reason": "raised", "detail": "no"},
    }
    assert [(one["part"], one["value"], one["result"]) for one in others] == [
        (number, number, "done") for number in range(2, PAGE + 3)
    ]
    assert told.stderr == f"{PAGE + 2} of {PAGE + 2} parts have ended, 1 of them failed\n"
    assert [line.split() for line in as_text[:3]] == [
        ["part", "status", "attempts", "took", "error"],
        ["1", "failed", "1", "0", "ms", "raised:", "no"],
        ["2", "finished", "1", "0", "ms"],
    ]
    assert len(as_text) == PAGE + 3


def test_what_has_no_parts_says_so(kept: Kept) -> None:
    [id_] = kept.accepted()

    told = kept.run("show", id_, "--parts")

    assert (told.returncode, told.stdout, told.stderr) == (1, "", f"acuse: {id_} has not been split into parts\n")


def test_nothing_that_a_client_or_an_action_wrote_steers_the_terminal(kept: Kept) -> None:
    hostile = "\x1b[2J\u009bm\u202e"
    [id_] = kept.failed(detail=hostile, note=hostile)
    split = kept.split(hostile)

    told = "".join(
        on_terminal("show", *arguments, "--data", kept.folder)
        for arguments in (
            (id_,),
            (id_, "--format", "text"),
            (split, "--parts"),
            (split, "--parts", "--format", "text"),
        )
    )

    assert not set("\x1b\u009b\u202e") & set(told)
    assert told.count("\\u001b[2J\\u009bm\\u202e") == 6


def test_an_id_that_is_none_or_unknown_is_said(kept: Kept) -> None:
    kept.accepted()
    unknown = new_id()

    no_id, not_there = kept.run("show", "5"), kept.run("show", unknown)

    assert (no_id.returncode, not_there.returncode) == (2, 1)
    assert no_id.stderr.startswith("acuse: '5' is no id: a UUID is wanted")
    assert not_there.stderr == f"acuse: no request has the id {unknown}\n"


def test_where_there_is_no_database_it_says_where_it_looked_and_how_to_name_another(tmp_path: Path) -> None:
    nowhere = Kept(tmp_path / "nowhere")

    told = nowhere.run("show", new_id())

    assert told.returncode == 2
    assert told.stderr.startswith(f"acuse: there is no database in {nowhere.folder}: ")
    assert all(way in told.stderr for way in ("--data", "ACUSE_DATA", "--store", "ACUSE_STORE"))
    assert list(nowhere.folder.iterdir()) == []
