"""`acuse list` as an operator runs it."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.acceptance.kept import Kept
from tests.acceptance.service import acuse
from tests.acceptance.terminal import on_terminal

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "data")


def cursor(told: str) -> str:
    """Where it says to go on."""
    [found] = re.findall(r"--after ([^\s)]+)", told)
    return str(found)


def test_into_a_pipe_go_lines_whose_columns_have_a_tab_between_them(kept: Kept) -> None:
    [finished], [failed], [accepted] = kept.finished(), kept.failed(action="report"), kept.accepted()

    told = kept.run("list")

    assert told.stdout.splitlines() == [
        f"{accepted}\tdelay\taccepted\t0\t2026-01-01T00:00:02.000000Z\t-\t-\t-",
        f"{failed}\treport\tfailed\t1\t2026-01-01T00:00:01.000000Z\t2026-01-01T00:00:02.500000Z\t1.500000\traised",
        f"{finished}\tdelay\tfinished\t1\t2026-01-01T00:00:00.000000Z\t2026-01-01T00:00:01.500000Z\t1.500000\t-",
    ]
    assert (told.returncode, told.stderr) == (0, "3 requests, newest first\n")


def test_as_json_each_record_is_on_a_line_as_show_has_it(kept: Kept) -> None:
    ids = [*kept.finished(2, note="é\n\u009b"), *kept.failed()]

    lines = kept.run("list", "--format", "json").stdout.splitlines()

    assert [json.loads(line)["id"] for line in lines] == ids[::-1]
    assert json.loads(lines[1]) == json.loads(kept.run("show", ids[1]).stdout)


def test_it_lists_what_fits_every_filter(kept: Kept) -> None:
    old, failed, report = kept.failed(2), kept.failed(2), kept.failed(action="report")
    kept.finished(2)
    kept.accepted()

    since, until = "2026-01-01T01:00:02+01:00", "2026-01-01T00:00:04Z"

    assert kept.listed("--status", "failed") == [*report, *failed[::-1], *old[::-1]]
    assert kept.listed("--action", "report") == report
    assert kept.listed("--status", "failed", "--since", since, "--until", until) == failed[::-1]
    assert kept.listed("--since", "1s") == []


def test_a_list_goes_on_where_it_ended_until_there_is_no_more(kept: Kept) -> None:
    ids = kept.accepted(5)

    first = kept.run("list", "--limit", 2)
    second = kept.run("list", "--limit", 2, "--after", cursor(first.stderr))
    third = kept.run("list", "--limit", 2, "--after", cursor(second.stderr))

    told = [line[:36] for one in (first, second, third) for line in one.stdout.splitlines()]
    assert told == ids[::-1]
    assert first.stderr.startswith("2 requests, newest first; there may be more: --after ")
    assert third.stderr == "1 request, newest first\n"


def test_without_a_limit_every_page_is_listed(kept: Kept) -> None:
    ids = kept.many(1_100)

    assert kept.listed("--limit", "0") == kept.listed("--limit", "all") == ids[::-1]
    assert len(kept.listed()) == 50


def test_an_interrupt_tells_where_to_go_on(kept: Kept) -> None:
    ids = kept.many(5_000)
    with kept.running("list", "--limit", "all", "--format", "json") as listing:
        assert listing.stdout
        assert listing.stderr
        lines = [listing.stdout.readline()]
        listing.send_signal(signal.SIGINT)
        lines += listing.stdout
        told = listing.stderr.read()

    found = [json.loads(line)["id"] for line in lines]
    assert listing.returncode == 130
    assert 0 < len(found) < 5_000
    assert f"{len(found)} requests, newest first" in told
    assert [*found, *kept.listed("--limit", "all", "--after", cursor(told))] == ids[::-1]


def test_on_a_terminal_it_is_a_table_as_wide_as_that(kept: Kept) -> None:
    [id_] = kept.failed(action="a-rather-long-name-of-an-action")

    wide, narrow, close = (on_terminal("list", "--data", kept.folder, columns=columns) for columns in (130, 80, 60))

    assert re.search(
        rf"{id_} +a-rather-long-name-of-an-action +failed +1 +2026-01-01 00:00:00Z +1.5 s +raised",
        COLOURS.sub("", wide),
    )
    assert max(len(line) for line in COLOURS.sub("", narrow).splitlines()) <= 80
    assert id_ in narrow
    assert re.search(rf"{id_} +a-rather-long +failed", re.sub(r"(?<=long)\S*", "", COLOURS.sub("", close)))
    assert "\x1b[1;31mfailed" in wide


def test_no_colour_is_used_where_none_is_wanted(kept: Kept) -> None:
    kept.failed()

    without = on_terminal("list", "--data", kept.folder, NO_COLOR="1")
    piped = kept.run("list", env={**os.environ, "FORCE_COLOR": "1"})
    counted = kept.run("retry", "--failed", "--dry-run", env={**os.environ, "FORCE_COLOR": "1"})

    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", without)
    assert piped.stdout.count("\t") == 7
    assert "\x1b" not in piped.stdout + piped.stderr + counted.stdout + counted.stderr


@pytest.mark.parametrize("form", ["table", "json"])
def test_nothing_that_a_client_wrote_steers_the_terminal(kept: Kept, form: str) -> None:
    hostile = "\x1b]0;owned\x07\u009b31m\u202e\r\ntwo"
    [id_] = kept.failed(action=f"report{hostile}", note=hostile, detail=hostile)

    told = on_terminal("list", "--format", form, "--data", kept.folder, columns=200)

    assert id_ in told
    assert not re.search("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202e]|\x1b(?!\\[[0-9;]*m)", told)
    assert "\\u001b]0;owned\\u0007\\u009b31m\\u202e" in told


def test_what_is_no_time_limit_or_cursor_is_said(kept: Kept) -> None:
    kept.accepted()

    wrong = {
        ("--since", "6"): "'6' is no moment: an age, such as 6h",
        ("--until", "2026-01-01T00:00:00"): "such as 2026-11-24T10:53:00Z, is wanted",
        ("--limit", "ten"): "'ten' is no limit",
        ("--after", "x"): "no page of this store ended with 'x'",
        ("--since", "1h", "--until", "1h"): "--since must be earlier than --until",
    }

    for arguments, expected in wrong.items():
        told = kept.run("list", *arguments)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith("acuse: ")
        assert expected in told.stderr


def test_a_store_that_is_away_is_said() -> None:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "ACUSE_PATIENCE": "0.1",
    }

    told = acuse("list", "--store", "dynamodb://requests", env=environment)

    assert (told.returncode, told.stdout) == (3, "")
    assert told.stderr.startswith('acuse: Could not connect to the endpoint URL: "http://127.0.0.1:9/"')
