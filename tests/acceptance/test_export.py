"""`acuse export` as an operator runs it, and its files as other tools read them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acuse.entrypoints.parquet import GROUP_BYTES, GROUP_ROWS, SCHEMA
from acuse.entrypoints.sheets import COLUMNS
from tests.acceptance.kept import FIRST, TOOK, Kept
from tests.acceptance.service import until
from tests.acceptance.terminal import on_terminal

if TYPE_CHECKING:
    from pathlib import Path

ACUSE = (sys.executable, "-m", "acuse")
FORMS = ("parquet", "ndjson", "csv")
LARGE = 100_000
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

# The row that is there, so often that there are as many as that, each with an id of its own.
MULTIPLY = """
WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < ?)
INSERT INTO record (id, part, action, body, fingerprint, created_at, status, finished_at, attempts, result)
SELECT printf('%08x-0000-7000-8000-000000000000', n), 0, action,
       json_object('id', printf('%08x-0000-7000-8000-000000000000', n), 'action', action, 'note', hex(randomblob(150))),
       fingerprint, created_at + n, status, finished_at + n, attempts, result
FROM record, n
"""

PEAK = """
import sys
from acuse.entrypoints.cli import main
try:
    main()
finally:
    [peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print("peak", peak, file=sys.stderr)
"""


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "data")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    kept = Kept(tmp_path_factory.mktemp("large") / "data")
    kept.finished()
    with closing(sqlite3.connect(kept.folder / "acuse.db")) as connection, connection:
        connection.execute(MULTIPLY, (LARGE,))
    return kept


def exported(kept: Kept, form: str, *arguments: object) -> Path:
    """The file."""
    file = kept.folder.parent / f"requests.{form}"
    told = kept.run("export", "--format", form, "--output", file, *arguments)
    assert (told.returncode, told.stderr) == (0, "")
    return file


def rows(file: Path) -> list[dict[str, Any]]:
    """Those of the file, times as they are there."""
    if file.suffix == ".parquet":
        read: list[dict[str, Any]] = pq.read_table(file).to_pylist()
        return read
    text = file.read_bytes().decode()
    if file.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    return [json.loads(line) for line in text.splitlines()]


def parts_beside(file: Path) -> list[Path]:
    return list(file.parent.glob(f".{file.name}.*.part"))


def test_every_column_is_read_back_from_parquet(kept: Kept) -> None:
    [finished] = kept.finished(note="é\n", result=b'{"rows":2}')
    [failed] = kept.failed(detail="=1+1", action="report")
    [accepted] = kept.accepted()

    file = exported(kept, "parquet")

    last, failure, first = rows(file)
    assert [last["id"], failure["id"], first["id"]] == [accepted, failed, finished]
    assert (first["created_at"], first["finished_at"]) == (FIRST, FIRST + TOOK)
    assert (first["status"], first["attempts"], first["traceparent"]) == ("finished", 1, None)
    assert json.loads(first["body"]) == {"id": finished, "action": "delay", "note": "é\n"}
    assert json.loads(first["result"]) == {"rows": 2}
    assert (failure["action"], failure["reason"], failure["detail"], failure["result"]) == (
        "report", "raised", "=1+1", None,
    )  # fmt: skip
    assert (last["finished_at"], last["attempts"], last["reason"]) == (None, 0, None)
    assert pq.read_schema(file).equals(SCHEMA)
    assert SCHEMA.field("created_at").type == pa.timestamp("us", tz="UTC")


def test_ndjson_has_each_record_as_the_api_answers_it(kept: Kept) -> None:
    ids = [*kept.finished(2, note="é", number=1.50), *kept.failed()]

    lines = exported(kept, "ndjson").read_text("utf-8").splitlines()

    assert lines == kept.run("list", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids[::-1]


def test_csv_is_read_back_whatever_is_in_it(kept: Kept) -> None:
    detail = 'one, "two"\r\nthree\n'
    kept.failed(detail=detail, note='"; \n')
    kept.accepted()

    file = exported(kept, "csv")

    accepted, failed = rows(file)
    assert tuple(accepted) == COLUMNS
    assert (failed["created_at"], failed["finished_at"], failed["detail"]) == (
        "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:01.500000Z", detail,
    )  # fmt: skip
    assert json.loads(failed["body"])["note"] == '"; \n'
    assert (accepted["finished_at"], accepted["attempts"], accepted["result"]) == ("", "0", "")
    assert file.read_bytes().count(b"\r\n") == 4


def test_no_cell_of_a_csv_is_a_formula(kept: Kept) -> None:
    hostile = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", " =1", "\uff1d1"]
    for detail in hostile:
        kept.failed(detail=detail)
    kept.failed(detail="a=1", action="=1")
    kept.finished(result=b"-1")

    number, formula, *failed = rows(exported(kept, "csv"))

    assert [one["detail"] for one in failed[::-1]] == [f"'{detail}" for detail in hostile]
    assert (formula["action"], formula["detail"], number["result"]) == ("'=1", "a=1", "-1")


def test_duckdb_reads_all_three_alike(kept: Kept) -> None:
    kept.finished(2)
    kept.failed(detail="a, b")

    told = []
    for form in FORMS:
        file = exported(kept, form)
        reason = "error.reason" if form == "ndjson" else "reason"
        counted = (
            f"SELECT status, {reason}, count(*), max(finished_at - created_at) FROM '{file}' GROUP BY ALL ORDER BY 1"  # noqa: S608
        )
        found = duckdb.sql(counted)
        assert found
        told.append(found.fetchall())

    assert told == [[("failed", "raised", 1, TOOK), ("finished", None, 2, TOOK)]] * 3


def test_an_export_has_what_fits_the_filter(kept: Kept) -> None:
    kept.failed(2)
    wanted = kept.failed(2)
    kept.failed(action="report")
    kept.finished()

    fits = ("--status", "failed", "--action", "delay", "--since", "2026-01-01T00:00:02Z")

    assert [one["id"] for one in rows(exported(kept, "parquet", *fits))] == wanted[::-1]
    for form in FORMS:
        assert rows(exported(kept, form, "--since", "1h")) == []


@pytest.mark.parametrize("form", FORMS)
def test_what_changes_meanwhile_comes_once(kept: Kept, form: str) -> None:
    ids = kept.many(3_000)
    file = kept.folder.parent / f"read.{form}"
    with kept.running("export", "--format", form, "--status", "failed") as export, file.open("wb") as read:
        assert export.stdout
        out = export.stdout.fileno()
        # It has begun, and cannot go on for long: nobody reads what it writes.
        read.write(os.read(out, 4))
        kept.reopen(ids[::300])
        new = kept.many(100)
        while piece := os.read(out, 65_536):
            read.write(piece)

    told = [one["id"] for one in rows(file)]
    assert len(told) == len(set(told))
    assert set(ids) - set(ids[::300]) <= set(told) <= {*ids, *new}


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_memory_does_not_grow_with_the_records(kept: Kept, large: Kept, form: str) -> None:
    kept.many(100)

    few, many = (_peak(one, "export", "--format", form) for one in (kept, large))

    assert many - few < 32_768


def test_a_row_group_is_bounded_however_many_records_there_are(large: Kept, tmp_path: Path) -> None:
    file = tmp_path / "requests.parquet"
    seen = on_terminal("export", "--format", "parquet", "--output", file, "--data", large.folder)
    told = pq.read_metadata(file)

    assert re.search(r" \d+ requests read, [\d,]+/s ", seen)
    groups = [told.row_group(number) for number in range(told.num_row_groups)]
    assert sum(group.num_rows for group in groups) == LARGE + 1
    assert max(group.num_rows for group in groups) <= GROUP_ROWS
    assert all(group.total_byte_size < 2 * GROUP_BYTES for group in groups)
    assert {group.column(place).compression for group in groups for place in range(len(COLUMNS))} == {"ZSTD"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_broken_off_leaves_what_was_there_before(large: Kept, tmp_path: Path, how: signal.Signals) -> None:
    file = tmp_path / "requests.csv"
    file.write_text("before")

    with large.running("export", "--format", "csv", "--output", file) as export:
        until(lambda: [one for one in parts_beside(file) if one.stat().st_size], "a part of the file")
        export.send_signal(how)
        told, _ = export.communicate()

    assert file.read_text() == "before"
    assert export.returncode == (130 if how is signal.SIGTERM else -9)
    if how is signal.SIGTERM:
        assert re.fullmatch(rf"broken off after \d+ requests: {file} is not whole\n", told)
        assert parts_beside(file) == []


def test_parquet_that_is_broken_off_looks_whole_to_nobody(large: Kept, tmp_path: Path) -> None:
    file = tmp_path / "requests.parquet"
    with large.running("export", "--format", "parquet") as export, file.open("wb") as read:
        assert export.stdout
        out = export.stdout.fileno()
        read.write(os.read(out, 4))
        export.send_signal(signal.SIGINT)
        while piece := os.read(out, 65_536):
            read.write(piece)

    assert export.returncode == 130
    assert file.read_bytes().startswith(b"PAR1")
    with pytest.raises(pa.ArrowInvalid, match="footer"):
        pq.read_metadata(file)


def test_a_file_that_cannot_be_written_to_its_end_is_not_there(kept: Kept, tmp_path: Path) -> None:
    kept.many(6_000)
    file = tmp_path / "requests.ndjson"

    command = f'ulimit -f 1000; exec "$0" -m acuse export --format ndjson --output {file} --data {kept.folder}'
    told = subprocess.run(["bash", "-c", command, sys.executable], check=False, capture_output=True, text=True)

    assert told.returncode == 3
    assert f"acuse: {file} could not be written: " in told.stderr
    assert (file.exists(), parts_beside(file)) == (False, [])


def test_a_file_in_the_place_of_another_is_for_the_same_readers(kept: Kept, tmp_path: Path) -> None:
    kept.accepted()
    private = tmp_path / "private"
    private.touch(0o600)

    told = kept.run("export", "--format", "csv", "--output", str(private))

    assert (told.returncode, private.stat().st_mode & 0o777) == (0, 0o600)
    assert private.stat().st_size > 0


def test_where_no_file_can_be_is_said(kept: Kept, tmp_path: Path) -> None:
    kept.accepted()
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    there = {*tmp_path.iterdir()}

    for wrong in (tmp_path, tmp_path / "nowhere" / "file", "/dev/null", circle):
        told = kept.run("export", "--format", "csv", "--output", wrong)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr.startswith(f"acuse: {wrong} ")

    assert {*tmp_path.iterdir()} == there


def test_parquet_goes_to_standard_output_but_not_to_a_terminal(kept: Kept, tmp_path: Path) -> None:
    ids = kept.accepted(3)

    file = tmp_path / "requests.parquet"
    with file.open("wb") as out:
        subprocess.run([*ACUSE, "export", "--format", "parquet", "--data", kept.folder], check=True, stdout=out)
    refused = on_terminal("export", "--format", "parquet", "--data", kept.folder)

    assert [one["id"] for one in rows(file)] == ids[::-1]
    assert "Parquet is nothing for a terminal: give a file by --output FILE" in refused


def test_nothing_that_a_client_wrote_steers_the_terminal(kept: Kept) -> None:
    hostile = "\x1b[2J\u009bm\u202e"
    kept.failed(detail=hostile, note=hostile)

    told = [on_terminal("export", "--format", form, "--data", kept.folder) for form in ("csv", "ndjson")]

    assert [one.count("\\u001b[2J\\u009bm\\u202e") for one in told] == [2, 2]
    assert not {"\u009b", "\u202e"} & set("".join(told))
    assert "\x1b[2J" not in "".join(told)


def test_without_pyarrow_it_says_what_to_install(kept: Kept, tmp_path: Path) -> None:
    kept.accepted()
    (tmp_path / "pyarrow.py").write_text('raise ModuleNotFoundError("No module named \'pyarrow\'", name="pyarrow")')
    without = {**os.environ, "PYTHONPATH": str(tmp_path)}

    parquet = kept.run("export", "--format", "parquet", "--output", tmp_path / "file", env=without)
    other = kept.run("export", "--format", "csv", env=without)

    assert (parquet.returncode, other.returncode) == (2, 0)
    assert parquet.stderr == "acuse: Parquet needs more packages: pip install 'acuse[parquet]'\n"


def _peak(kept: Kept, *arguments: object) -> int:
    """The most memory that the command had, in kB."""
    command = [sys.executable, "-c", PEAK, *map(str, arguments), "--data", str(kept.folder)]
    told = subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(told.stderr.split()[-1])
