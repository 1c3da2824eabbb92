"""What all commands have in common."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import metadata
from pathlib import Path

import pytest

from tests.acceptance.kept import Kept
from tests.acceptance.service import BUFFERED, PATIENCE_SECONDS, acuse
from tests.integration.disk import UNPRIVILEGED


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "data")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lst",), "No such command 'lst'. Did you mean 'list'?"),
        (("list", "--statsu", "failed"), "--status"),
        (("list", "--status", "lost"), "'lost' is not one of 'accepted', 'finished', 'failed'"),
        (("export", "--output", "file"), "Missing option '--format'"),
        (("show",), "Missing argument 'ID'"),
        (("keys", "lst"), "Did you mean 'list'?"),
    ],
)
def test_a_slip_of_the_pen_is_said_with_what_may_be_meant(arguments: tuple[str, ...], said: str) -> None:
    told = acuse(*arguments)

    assert (told.returncode, told.stdout) == (2, "")
    assert said in told.stderr


def test_what_each_command_is_for_is_said_in_full() -> None:
    told = [acuse(*group, "--help", env={**os.environ, "COLUMNS": "80"}).stdout for group in ((), ("keys",))]

    listed = [one.partition("Commands:")[2] for one in told]
    assert all(one and "..." not in one for one in listed)


def test_the_version_is_told() -> None:
    assert acuse("--version").stdout == f"{metadata.version('acuse')}\n"


def test_a_setting_that_is_none_is_said() -> None:
    told = acuse("list", env={**os.environ, "ACUSE_STORES": "sqlite"})

    assert (told.returncode, told.stderr) == (2, "acuse: no such setting: ACUSE_STORES\n")


@pytest.mark.parametrize(
    "command",
    ["list --limit all", "list --limit all --format json", "export --format csv", "export --format parquet"],
)
def test_a_reader_that_goes_away_ends_it_without_a_word(kept: Kept, command: str) -> None:
    kept.many(3_000, noise=40)  # More than a pipe holds, also as Parquet.
    piped = f'set -o pipefail; "$0" -m acuse {command} --data {kept.folder} | head -c 10 >&2'

    told = subprocess.run(["bash", "-c", piped, sys.executable], check=False, capture_output=True)

    assert (told.returncode, len(told.stderr)) == (141, 10)


def test_a_reader_that_was_never_there_ends_it_without_a_word(kept: Kept) -> None:
    [id_] = kept.accepted()
    reader, writer = os.pipe()
    os.close(reader)

    command = [sys.executable, "-m", "acuse", "show", id_, "--data", str(kept.folder)]
    told = subprocess.run(command, check=False, stdout=writer, stderr=subprocess.PIPE, env=BUFFERED)
    os.close(writer)

    assert (told.returncode, told.stderr) == (141, b"")


@pytest.mark.parametrize(("closing", "lines"), [(">&-", (0, 1)), ("2>&-", (1, 0)), ("<&- >&- 2>&-", (0, 0))])
def test_what_is_closed_is_as_if_it_led_nowhere(kept: Kept, closing: str, lines: tuple[int, int]) -> None:
    kept.accepted()
    told = subprocess.run(
        ["bash", "-c", f'"$0" -m acuse list --data {kept.folder} {closing}', sys.executable],
        check=False,
        capture_output=True,
    )

    assert told.returncode == 0
    assert (told.stdout.count(b"\n"), told.stderr.count(b"\n")) == lines


def test_an_action_that_is_no_text_is_said(kept: Kept) -> None:
    kept.accepted()
    told = subprocess.run(
        [sys.executable, "-m", "acuse", "list", "--action", b"\xff", "--data", kept.folder],
        check=False,
        capture_output=True,
    )

    assert (told.returncode, told.stderr) == (2, b"acuse: '\\udcff' is no action: it is not in UTF-8\n")


def test_a_full_disk_behind_the_output_is_said(kept: Kept) -> None:
    [id_] = kept.accepted()
    with Path("/dev/full").open("w") as full:
        told = [
            subprocess.run(
                [sys.executable, "-m", "acuse", *arguments],
                check=False,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env={**BUFFERED, "ACUSE_DATA": str(kept.folder)},
            )
            for arguments in (["list"], ["show", id_], ["export", "--format", "csv"], ["--version"])
        ]

    assert [one.returncode for one in told] == [3, 3, 3, 3]
    assert all(one.stderr.count("No space left on device") == 1 for one in told)
    assert not any("Traceback" in one.stderr or "Exception ignored" in one.stderr for one in told)


def test_the_exit_code_is_the_same_where_nothing_can_be_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "acuse", "list", "--data", str(tmp_path)]
        assert subprocess.run(command, check=False, stderr=full).returncode == 2


@pytest.mark.parametrize(
    "command",
    ["list", "show ID", "retry ID", "retry --failed", "export --format csv", "purge --older-than 1d", "keys list"],
)
def test_a_database_of_an_older_version_stays_as_it_is_for_the_service_that_runs_on_it(
    kept: Kept, command: str
) -> None:
    [id_] = kept.accepted()
    with closing(sqlite3.connect(kept.folder / "acuse.db", isolation_level=None)) as file:
        file.execute("PRAGMA user_version = 2")
        told = kept.run(*command.replace("ID", id_).split())
        found = file.execute("PRAGMA user_version").fetchone()

    assert (told.returncode, found) == (2, (2,))
    assert told.stderr == "acuse: the database has schema 2: once acuse serve has begun here, it has 3\n"


def test_what_may_not_be_reached_or_written_to_is_said_in_one_line(kept: Kept) -> None:
    kept.failed()
    file = kept.folder / "acuse.db"
    for path, mode, command in (
        (file, 0o400, "retry --failed"),
        (file, 0o400, "serve --port 0 --ops-port 0"),
        (kept.folder, 0o000, "list"),
    ):
        path.chmod(mode)
        told = subprocess.run(
            [*UNPRIVILEGED, sys.executable, "-m", "acuse", *command.split()],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            env={**os.environ, "ACUSE_DATA": str(kept.folder)},
        )
        kept.folder.chmod(0o700)
        assert (told.returncode, told.stdout) == (3, "")
        assert re.fullmatch(r"acuse: .*(readonly|may not be|Permission denied).*\n", told.stderr)


def test_links_that_lead_in_a_circle_are_said(tmp_path: Path) -> None:
    for name in ("circle", "acuse.db"):
        (tmp_path / name).symlink_to(name)

    for data in (tmp_path / "circle", tmp_path):
        told = acuse("serve", "--port", 0, "--ops-port", 0, data=data)
        assert (told.returncode, told.stdout) in {(2, ""), (3, "")}
        assert re.fullmatch(r"acuse: .*\n", told.stderr)


def test_json_is_in_utf_8_whatever_the_system_writes(kept: Kept) -> None:
    [id_] = kept.failed(detail="\u00fc")

    told = subprocess.run(
        [sys.executable, "-m", "acuse", "show", id_, "--data", str(kept.folder)],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert json.loads(told.stdout.decode("utf-8"))["error"]["detail"] == "\u00fc"


def test_what_is_no_database_of_this_version_is_said(kept: Kept) -> None:
    kept.accepted()
    told = ["the database has schema 99; this version of acuse knows 3\n", "is no database of acuse, or no longer"]
    for pragma, said in zip(("user_version = 99", "application_id = 1"), told, strict=True):
        with closing(sqlite3.connect(kept.folder / "acuse.db", isolation_level=None)) as file:
            file.execute(f"PRAGMA {pragma}")
        listed = kept.run("list")
        assert (listed.returncode, listed.stdout, said in listed.stderr) == (2, "", True)


@pytest.mark.parametrize("command", ["list", "keys new somebody"])
def test_the_log_of_another_file_goes_into_none(kept: Kept, tmp_path: Path, command: str) -> None:
    """As who puts back a backup may forget it."""
    kept.finished(200)
    log, file = kept.folder / "acuse.db-wal", kept.folder / "acuse.db"
    other = Kept(tmp_path / "other")
    other.failed(40)
    with closing(sqlite3.connect(other.folder / "acuse.db")) as connection:
        connection.execute("UPDATE record SET attempts = 7")
        connection.commit()
        shutil.copy(other.folder / log.name, log)
    before = file.read_bytes(), log.read_bytes()

    told = kept.run(*command.split())

    assert (told.returncode in {2, 3}, told.stdout) == (True, "")
    assert "without the acuse.db-wal of another file" in told.stderr
    assert (file.read_bytes(), log.read_bytes()) == before


def test_a_file_that_is_damaged_is_said_with_what_to_do(kept: Kept) -> None:
    (kept.folder / "acuse.db").write_bytes(b"no database" * 1_000)

    told = kept.run("list")

    assert (told.returncode, told.stdout) == (3, "")
    assert "restore a backup" in told.stderr
    assert len(told.stderr.splitlines()) == 1
