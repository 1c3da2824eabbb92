"""Real processes and real signals: what was acknowledged is there, and ends once, whatever is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.service import ACTIONS, PATIENCE_SECONDS, Running, acuse, children, exists, until
from tests.requests import new_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def rows(data: Path) -> dict[str, tuple[Any, ...]]:
    with closing(sqlite3.connect(data / "acuse.db")) as connection:
        found = connection.execute("SELECT id, status, attempts, body FROM record WHERE part = 0").fetchall()
    assert len(found) == len({row[0] for row in found})
    return {row[0]: row[1:] for row in found}


def test_the_first_minute(data: Path) -> None:
    with Running(data) as service:
        sent = {"id": new_id(), "action": "delay", "seconds": 0.2}

        created = service.client.post(service.url, json=sent)
        ended = service.ended(sent)

    assert (created.status_code, created.json()["status"], created.json()["finished_at"]) == (201, "accepted", None)
    assert (ended["status"], ended["result"], ended["attempts"]) == ("finished", {"seconds": 0.2}, 1)
    assert ended["created_at"] == created.json()["created_at"]
    assert ended["finished_at"] > ended["created_at"]


def test_it_is_ready_when_all_of_it_works_and_says_which_part_does_not(data: Path) -> None:
    with Running(data, "--workers", 1) as service:
        until(service.ready, "readiness")
        assert service.client.get(service.health.replace("ready", "live")).status_code == 200

        [worker] = service.pids("worker")
        os.kill(worker, signal.SIGSTOP)
        answer = until(lambda: None if service.ready() else service.client.get(service.health), "unreadiness")
        os.kill(worker, signal.SIGCONT)

        assert answer.status_code == 503
        assert answer.json()["checks"] == {"intake": True, "worker-1": False}
        until(service.ready, "readiness")


def test_it_is_not_ready_while_its_runners_cannot_be_started(data: Path, tmp_path: Path) -> None:
    actions = tmp_path / "picky.py"
    actions.write_text(
        "import sys\nfrom acuse import Action\n"
        "if 'runner' in sys.argv[0]: raise RuntimeError('not in a runner')\n"
        "class Picky(Action, tag='picky'):\n    def run(self): ...\n"
    )
    with Running(data, "--workers", 1, "--runners", 1, actions=actions) as service:
        until(lambda: service.log.read_text().count("cannot work") >= 3, "some tries")

        assert service.client.get(service.health).json()["checks"] == {"intake": True, "worker-1": False}


def test_without_workers_it_takes_in_and_leaves_the_work_to_others(data: Path) -> None:
    with Running(data, "--workers", 0) as service:
        sent = service.accept()
        assert service.pids("worker") == []

    with Running(data) as service:
        assert service.ended(sent)["status"] == "finished"


def test_a_killed_api_loses_nothing_that_it_acknowledged(data: Path) -> None:
    """Clients keep a ledger of every 2xx while the API is killed under them again and again."""
    ledger: dict[str, dict[str, Any]] = {}
    done = threading.Event()

    def client(service: Running) -> None:
        while not done.is_set():
            sent = service.accept(text="x" * 50)
            ledger[sent["id"]] = sent

    with Running(data) as service:
        clients = [threading.Thread(target=client, args=(service,)) for _ in range(4)]
        for one in clients:
            one.start()
        for kills in range(1, 6):
            before = len(ledger)
            until(lambda before=before: len(ledger) > before + 20, f"progress before kill {kills}")  # type: ignore[misc]
            service.kill("api")
        done.set()
        for one in clients:
            one.join()
        for sent in ledger.values():
            assert service.ended(sent)["status"] == "finished"

    assert len(ledger) > 100
    assert set(ledger) == set(rows(data))


def test_a_killed_worker_has_its_work_taken_up_and_ended_once(data: Path, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with Running(data, "--workers", 1) as service:
        others = [service.accept() for _ in range(30)]
        sent = service.accept(action="notes", book=str(book), until=str(go))
        until(book.exists, "the run")
        [worker] = service.pids("worker")
        runners = list(children(worker))
        assert runners

        service.kill("worker")

        until(lambda: len(book.read_text().splitlines()) == 2, "the second run")
        until(lambda: not any(exists(pid) for pid in runners), "the end of the runners")
        go.touch()
        ended = service.ended(sent)
        assert (ended["status"], ended["attempts"]) == ("finished", 2)
        assert {service.ended(one)["status"] for one in others} == {"finished"}


def test_a_run_that_kills_its_worker_ends_as_failed_and_the_rest_is_done(data: Path, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with Running(data, "--workers", 2) as service:
        others = [service.accept() for _ in range(20)]
        poison = service.accept(action="misbehaves", how="kills-its-worker", book=str(book))
        others += [service.accept() for _ in range(20)]

        ended = service.ended(poison)

        assert (ended["status"], ended["error"]["reason"]) == ("failed", "abandoned")
        assert book.read_text().splitlines() == ["run", "run"]
        assert Counter(service.ended(one)["status"] for one in others) == {"finished": 40}


def test_a_worker_killed_before_the_merge_does_not_lose_it(data: Path, tmp_path: Path) -> None:
    book = tmp_path / "book"
    with Running(data, "--workers", 1) as service:
        sent = service.accept(action="sums", upto=2_000, book=str(book))
        until(lambda: book.exists() and len(book.read_text().splitlines()) > 30, "some of the parts")
        stopped = service.pids("worker")
        until(lambda: _finish_parts_by_hand(stopped, data, sent["id"]), "a moment in which the worker locks nothing")
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)

        assert service.ended(sent)["result"] == {"sum": 2_001_000}
        assert book.read_text().splitlines().count("merge") == 1


def _finish_parts_by_hand(workers: list[int], data: Path, id_: str) -> bool:
    """As the workers would have with their last breath: they stand still, every part has ended, nobody has merged."""
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        _end_parts(data, id_)
    except sqlite3.OperationalError:  # Stopped while they held the lock: on with them.
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        return False
    return True


def _end_parts(data: Path, id_: str) -> None:
    with closing(sqlite3.connect(data / "acuse.db", timeout=0.1)) as connection, connection:
        connection.execute(
            "UPDATE record SET status = 'finished', finished_at = created_at, result = body, due_at = NULL"
            " WHERE id = ? AND part > 0 AND status = 'accepted'",
            (id_,),
        )
        connection.execute(
            "UPDATE record SET parts_left = 0, due_at = coalesce(due_at, created_at), attempts = 0"
            " WHERE id = ? AND part = 0 AND status = 'accepted'",
            (id_,),
        )


def _family(service: Running) -> set[int]:
    return {pid for child in children(service.process.pid) for pid in [child, *children(child)]}


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_drains_when_it_is_told_to_end(data: Path, tmp_path: Path, signum: signal.Signals) -> None:
    book = tmp_path / "book"
    with Running(data, "--workers", 1) as service:
        running = service.accept(action="notes", book=str(book), seconds=0.5)
        until(book.exists, "the run")
        waiting = [service.accept(action="notes", seconds=0.2) for _ in range(20)]
        family = _family(service)

        service.process.send_signal(signum)

        assert service.process.wait(PATIENCE_SECONDS) == 0
        assert not any(exists(pid) for pid in family)
        kept = rows(data)
        assert kept[running["id"]][:2] == ("finished", 1)
        assert {one["id"] for one in waiting} <= set(kept)
        assert book.read_text() == "run\n"

    with Running(data) as service:
        assert {service.ended(one)["attempts"] for one in waiting} == {1}


def test_sigterm_under_load_breaks_no_promise(data: Path) -> None:
    ledger: list[str] = []
    with Running(data, "--workers", 1) as service:

        def client() -> None:
            for _ in range(100_000):
                id_ = new_id()
                try:
                    answer = service.post(id=id_)
                except Exception:  # noqa: BLE001  (the service is gone)
                    return
                if answer.status_code == 201:
                    ledger.append(id_)

        clients = [threading.Thread(target=client) for _ in range(4)]
        for one in clients:
            one.start()
        until(lambda: len(ledger) > 100, "some load")
        service.process.terminate()
        assert service.process.wait(PATIENCE_SECONDS) == 0
        for one in clients:
            one.join()

    assert set(ledger) <= set(rows(data))


def test_no_process_outlives_a_killed_service(data: Path, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with Running(data) as service:
        sent = service.accept(action="notes", book=str(book), until=str(go))
        until(book.exists, "the run")
        until(lambda: len(_family(service)) == 8, "api, ops, two workers and their four runners")
        family = _family(service)

        service.process.kill()
        service.process.wait()
        go.touch()

        until(lambda: not any(exists(pid) for pid in family), "the end of the family")

    with Running(data) as service:
        assert service.ended(sent)["status"] == "finished"


def test_every_process_that_dies_is_started_again(data: Path) -> None:
    with Running(data, "--workers", 2) as service:
        until(service.ready, "readiness")
        killed = [*service.kill("api"), *service.kill("ops"), *service.kill("worker")]

        assert service.ended(service.accept())["status"] == "finished"
        until(lambda: service.ready() and len(service.pids("worker")) == 2, "all of it")
        assert not any(exists(pid) for pid in killed)


def test_one_that_worked_before_it_was_killed_is_not_waited_for_long(data: Path) -> None:
    with Running(data, "--workers", 0) as service:
        for _ in range(7):
            service.accept()
            service.kill("api")
        service.accept()

        pauses = [float(pause) for pause in re.findall(r"process_name=api .* pause=(\S+)", service.log.read_text())]

    assert len(pauses) == 7
    assert max(pauses) <= 1.0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_another_worker_may_join_and_leave(data: Path, tmp_path: Path, signum: signal.Signals) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with Running(data, "--workers", 0) as service:
        sent = service.accept(action="notes", book=str(book), until=str(go))
        command = [sys.executable, "-m", "acuse", "work", "--data", str(data), "--actions", str(ACTIONS)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as worker:
            until(book.exists, "the run")
            worker.send_signal(signum)
            go.touch()
            assert worker.wait(PATIENCE_SECONDS) == 0

        assert service.ended(sent)["attempts"] == 1


def test_the_command_line_submits_shows_and_retries(data: Path, tmp_path: Path) -> None:
    id_, bad = new_id(), new_id()
    requests: list[dict[str, Any]] = [
        {"id": id_, "action": "echo", "text": "hello"},
        {"action": "echo"},
        {"id": bad, "action": "sums", "upto": 3, "bad": 2},
    ]
    file = tmp_path / "requests.ndjson"
    file.write_text("\n\n".join(map(json.dumps, requests)))
    with Running(data) as service:
        address = service.url.removesuffix("/v1/requests")

        submitted = acuse("submit", file, "--url", address)

        assert submitted.returncode == 0, submitted.stderr
        answers = [json.loads(line) for line in submitted.stdout.splitlines()]
        assert [answer["action"] for answer in answers] == ["echo", "echo", "sums"]
        assert answers[0]["id"] == id_
        for answer in answers:
            service.ended({name: answer[name] for name in answer if name in {"id", "action", "text", "upto", "bad"}})
        again = acuse("submit", "-", "--url", address, input=json.dumps([requests[0], {"action": "nope"}]))
        assert again.returncode == 1
        assert "1 of 2 were refused" in again.stderr

        shown = acuse("show", id_.upper(), data=data)
        assert (shown.returncode, json.loads(shown.stdout)["status"]) == (0, "finished")
        split = acuse("show", bad, data=data)
        assert json.loads(split.stdout)["error"]["reason"] == "parts-failed"
        assert "3 of 3 parts have ended, 1 of them failed" in split.stderr
        assert acuse("retry", bad, data=data).returncode == 0
        assert acuse("retry", id_, data=data).returncode == 1
        assert service.ended(requests[2])["status"] == "failed"


def test_what_cannot_work_is_said_at_once(data: Path, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.py"
    nonsense.write_text("import no_such_module\n")
    anyone = {**os.environ, "ACUSE_OPS_HOST": "0.0.0.0"}  # noqa: S104
    with Running(data) as service:
        taken = service.url.split(":")[2].split("/")[0]
        said = {
            acuse("serve", "--port", taken, data=tmp_path / "other"): "cannot listen on 127.0.0.1",
            acuse("serve", "--host", "0.0.0.0", data=data): "can be reached by anyone",  # noqa: S104
            acuse("serve", data=data, env=anyone): "0.0.0.0 can be reached by anyone",
            acuse("ops", data=data, env=anyone): "0.0.0.0 can be reached by anyone",
            acuse("work", "--ops-port", "0", data=data, env=anyone): "0.0.0.0 can be reached by anyone",
            acuse("serve", "--actions", nonsense, data=data): "no_such_module",
            acuse("serve", "--actions", tmp_path / "none.py", data=data): "none.py",
            acuse("serve", "--actions", "json", data=data): "json defines no action",
            acuse("show", new_id(), data=tmp_path / "none"): "there is no database in",
            acuse("submit", "-", input="{}\n{"): "line 2 is not a JSON object",
            acuse("submit", "-", input="[1]"): "item 1 is not a JSON object",
            acuse("submit", "-", input='{"a":NaN}'): "line 1 is not a JSON object",
            acuse("submit", "-", input="\n"): "there is no request",
            acuse("submit", "-", "--url", "localhost:1", input="{}"): "missing an 'http://'",
            acuse("submit", "-", "--url", "http://[::1", input="{}"): "Invalid port",
            acuse("serve", "--workers", "-1", data=data): "workers",
            acuse("serve", "--workers", "x", data=data): "workers",
        }
        missing = acuse("show", new_id(), data=data)

    for ended, message in said.items():
        assert (ended.returncode, message in ended.stderr) == (2, True), ended.stderr
        assert "Traceback" not in ended.stderr
    assert (missing.returncode, "no request has the id" in missing.stderr) == (1, True)
