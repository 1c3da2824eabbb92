"""`acuse check`, as an operator runs it before a deployment."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.machine import examine_ports
from acuse.adapters.sqlite.database import Database, schema_version
from acuse.adapters.sqlite.examination import SCARCE, _locks, examine
from acuse.adapters.sqlite.store import SqliteStore
from acuse.domain.finding import Finding, Level
from tests.acceptance.service import PATIENCE_SECONDS, acuse
from tests.integration.disk import UNPRIVILEGED, disk, read_only
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FREE = {"ACUSE_PORT": "0", "ACUSE_OPS_PORT": "0"}
BUSY = timedelta(seconds=1)


def findings(
    *arguments: object, before: Sequence[str] = (), code: int = 0, **environment: str
) -> dict[str, list[Finding]]:
    """What the command prints, by subject."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "acuse", "check", "--format", "json", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env={**os.environ, **FREE, **environment},
    )
    assert done.returncode == code, done
    found: dict[str, list[Finding]] = {}
    for line in done.stdout.splitlines():
        one = msgspec.json.decode(line, type=Finding)
        found.setdefault(one.subject, []).append(one)
    return found


def levels(found: dict[str, list[Finding]], level: Level) -> dict[str, str]:
    return {subject: one.detail for subject, several in found.items() for one in several if one.level is level}


def database(file: Path, created_at: datetime) -> Path:
    """A file with one record."""
    made = Database(file, durable=True, busy=BUSY)
    SqliteStore(made, SystemClock()).add([record(created_at)])
    made.close()
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


def test_a_new_folder_can_be_served_from_and_is_not_made(tmp_path: Path) -> None:
    found = findings("--data", tmp_path / "new")

    assert levels(found, Level.FAILURE) == {}
    assert set(found) >= {
        "settings", "versions", "actions", "runner", "data folder", "disk", "commits", "locks", "database", "keys",
        "clock", "public plane", "ops plane", "open files",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_database_stays_as_it_is(data: Path) -> None:
    file = database(data / "acuse.db", datetime.now(UTC))
    before = file.read_bytes()

    found = findings("--data", data)

    assert levels(found, Level.FAILURE) == {}
    assert "nothing wrong was found" in levels(found, Level.OK)["database"]
    assert file.read_bytes() == before
    assert [one.name for one in data.iterdir()] == ["acuse.db"]


def test_a_log_beside_a_database_stays_as_it_is_and_goes_into_no_other(data: Path, tmp_path: Path) -> None:
    """As a crash leaves it; and as who puts back a backup may forget it."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    for folder in (data, other):
        database(folder / "acuse.db", datetime.now(UTC))
    with closing(sqlite3.connect(data / "acuse.db")) as connection:
        connection.execute("UPDATE record SET attempts = 7")
        connection.commit()
        for name in ("acuse.db", "acuse.db-wal"):
            shutil.copy(data / name, tmp_path / name)
    shutil.copy(tmp_path / "acuse.db-wal", other / "acuse.db-wal")

    for folder in (tmp_path, other):
        before = [(folder / name).read_bytes() for name in ("acuse.db", "acuse.db-wal")]
        acuse("check", data=folder, env={**os.environ, **FREE})
        assert [(folder / name).read_bytes() for name in ("acuse.db", "acuse.db-wal")] == before


def test_a_damaged_database_is_a_failure_that_says_what_to_do(data: Path) -> None:
    (data / "acuse.db").write_bytes(b"no database at all" * 1_000)

    assert "restore a backup" in levels(findings("--data", data, code=2), Level.FAILURE)["database"]


def test_an_older_schema_will_be_brought_up_and_a_newer_one_is_a_failure(data: Path) -> None:
    file = database(data / "acuse.db", datetime.now(UTC))

    for schema, level, told in (
        (schema_version() - 1, Level.OK, "will be brought to"),
        (schema_version() + 1, Level.FAILURE, "this version of acuse knows"),
    ):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(f"PRAGMA user_version = {schema}")
        assert told in levels(findings("--data", data, code=2 if level is Level.FAILURE else 0), level)["database"]


@pytest.mark.parametrize("name", ["acuse.db", "acuse.db-wal"])
def test_a_file_that_another_user_has_left_is_a_failure(data: Path, name: str) -> None:
    database(data / "acuse.db", datetime.now(UTC))
    (data / name).touch()
    (data / name).chmod(0o400)

    told = levels(findings("--data", data, before=UNPRIVILEGED, code=2), Level.FAILURE)

    assert told == {"database": f"{data / name} may not be read and written to by this user"}


def test_a_file_of_another_application_is_a_failure_and_an_empty_one_is_none(data: Path) -> None:
    (data / "acuse.db").touch()
    assert not [one for one in examined(data) if one.level is Level.FAILURE]

    with closing(sqlite3.connect(data / "acuse.db")) as connection:
        connection.execute("CREATE TABLE theirs (value)")
    [found] = [one for one in examined(data) if one.level is Level.FAILURE]
    assert "another application" in found.detail


def test_a_folder_out_of_reach_is_a_failure(data: Path) -> None:
    data.chmod(0o000)
    found = findings(before=UNPRIVILEGED, code=2, ACUSE_DATA=str(data / "in"), ACUSE_HOST="0.0.0.0")  # noqa: S104
    data.chmod(0o700)

    assert levels(found, Level.FAILURE) == {"data folder": f"{data / 'in'}: Permission denied"}
    assert "cannot be seen" in levels(found, Level.WARNING)["keys"]


def test_a_folder_that_may_not_be_written_to_is_a_failure(data: Path) -> None:
    with read_only(data):
        found = findings("--data", data, before=UNPRIVILEGED, code=2)

    assert levels(found, Level.FAILURE).keys() & {"data folder", "commits"}


def test_a_file_where_the_folder_should_be_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")

    for name, folder in (("file", "file"), ("file", "file/data"), ("circle", "circle")):
        told = levels(findings("--data", tmp_path / folder, code=2), Level.FAILURE)
        assert told == {"data folder": f"{tmp_path / name} is not a folder"}


def test_a_folder_that_others_can_look_into_is_a_warning(data: Path) -> None:
    data.chmod(0o755)

    assert "chmod 700" in levels(findings("--data", data), Level.WARNING)["data folder"]


def test_a_full_disk_is_a_failure(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as full:
        full.fill()
        found = findings("--data", full.folder, before=full.full(), code=2)

    assert levels(found, Level.FAILURE).keys() & {"disk", "commits"}


def test_how_much_of_the_disk_must_be_free(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, level in (
        (SCARCE, Level.OK),
        (SCARCE - 1, Level.WARNING),
        (SCARCE // 16, Level.WARNING),
        (SCARCE // 16 - 1, Level.FAILURE),
    ):
        usage = shutil.disk_usage(data)._replace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        [found] = [one for one in examined(data) if one.subject == "disk"]
        assert found.level is level


def test_a_file_system_that_can_keep_no_log_is_found_out(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def lockless(file: object, **options: Any) -> sqlite3.Connection:
        """What SQLite does where locks are granted to all."""
        if ".acuse-check-" in str(file):
            file, options = f"file:{file}?vfs=unix-none", {**options, "uri": True}
        made: sqlite3.Connection = connect(str(file), **options)
        return made

    monkeypatch.setattr(sqlite3, "connect", lockless)
    found = {one.subject: one for one in examined(data)}

    assert found["commits"].level is Level.FAILURE


def test_that_two_can_write_at_once_is_a_failure(data: Path) -> None:
    """No file system at hand lets them; so the other finds nobody at work here."""
    with closing(sqlite3.connect(data / "try.db", isolation_level=None)) as other:
        assert _locks(other).level is Level.FAILURE


def test_a_record_of_the_future_makes_the_clock_suspect(data: Path) -> None:
    now = datetime.now(UTC)
    database(data / "acuse.db", now + timedelta(days=1))

    assert [one.subject for one in examine(data / "acuse.db", BUSY, now) if one.level is Level.WARNING] == ["clock"]
    assert not [one for one in examine(data / "acuse.db", BUSY, now + timedelta(days=2)) if one.subject == "clock"]


def test_a_port_that_is_taken_is_a_warning_and_strictly_a_failure(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert port in levels(findings("--data", data, ACUSE_PORT=port), Level.WARNING)["public plane"]
        assert (
            port in levels(findings("--data", data, "--strict", code=2, ACUSE_PORT=port), Level.WARNING)["public plane"]
        )


def test_one_port_for_both_planes_is_a_failure_and_so_is_an_address_elsewhere() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    found = examine_ports({"one": ("127.0.0.1", port), "other": ("127.0.0.1", port), "away": ("192.0.2.1", 0)})

    assert [one.level for one in found] == [Level.OK, Level.FAILURE, Level.FAILURE]


def test_to_be_reached_by_anyone_without_a_key_is_a_failure(data: Path) -> None:
    for plane in ("ACUSE_HOST", "ACUSE_OPS_HOST"):
        anyone = ("env", f"{plane}=0.0.0.0")
        assert "keys new" in levels(findings("--data", data, before=anyone, code=2), Level.FAILURE)["keys"]
        meant = findings("--data", data, before=anyone, ACUSE_ALLOW_ANYONE="true")
        assert "says so" in levels(meant, Level.OK)["keys"]

    assert acuse("keys", "new", "somebody", data=data).returncode == 0
    assert "1 in force" in levels(findings("--data", data, ACUSE_HOST="0.0.0.0"), Level.OK)["keys"]  # noqa: S104


def test_that_every_key_is_revoked_is_a_warning(data: Path) -> None:
    for command in ("new", "revoke"):
        assert acuse("keys", command, "somebody", data=data).returncode == 0

    assert "nobody is let in" in levels(findings("--data", data), Level.WARNING)["keys"]


def test_actions_that_cannot_be_loaded_are_a_failure(data: Path, tmp_path: Path) -> None:
    for source, why in (("import nothing_of_that_name", "nothing_of_that_name"), ("raise SystemExit(0)", "SystemExit")):
        (tmp_path / "broken.py").write_text(f"print('it begins')\n{source}")

        told = levels(findings("--data", data, "--actions", tmp_path / "broken.py", code=2), Level.FAILURE)

        assert why in told["actions"]


def test_a_runner_that_cannot_start_is_a_failure(data: Path, tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text(
        "import acuse\nROOM = bytes(500_000_000)\nclass Large(acuse.Action, tag='large'):\n    def run(self): ...\n"
    )
    limited = {"ACUSE_MAX_MEMORY": "268435456"}

    told = levels(findings("--data", data, "--actions", tmp_path / "large.py", code=2, **limited), Level.FAILURE)

    assert "ACUSE_MAX_MEMORY" in told["runner"]


def test_that_nobody_is_there_to_take_traces_is_a_warning(data: Path) -> None:
    found = findings("--data", data, ACUSE_TRACING="true", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")

    told = levels(found, Level.WARNING)["traces"]
    assert told.startswith("they are lost until somebody takes them at http://127.0.0.1:9/v1/traces: ")


def test_that_traces_cannot_be_sent_as_they_are_to_be_is_the_one_failure(data: Path) -> None:
    wrong = {"ACUSE_TRACING": "true", "OTEL_EXPORTER_OTLP_HEADERS": "Authorization: Bearer s3cret"}

    told = levels(findings("--data", data, code=2, **wrong), Level.FAILURE)

    assert told.keys() == {"traces"}
    assert "s3cret" not in told["traces"]


def test_settings_that_cannot_be_used_are_a_failure(data: Path) -> None:
    told = levels(findings("--data", data, code=2, ACUSE_WORKERS="-1"), Level.FAILURE)

    assert "workers" in told["settings"]


def test_people_are_told_one_thing_a_line(data: Path) -> None:
    (data / "two.py").write_text("raise ValueError('one\\ntwo')")

    done = acuse("check", "--actions", data / "two.py", data=data, env={**os.environ, **FREE})

    assert done.returncode == 2
    assert all(line.split()[0] in set(Level) for line in done.stdout.splitlines())


def examined(data: Path) -> Iterator[Finding]:
    return examine(data / "acuse.db", BUSY, datetime.now(UTC))
