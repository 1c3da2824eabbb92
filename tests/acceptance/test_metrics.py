"""What `/metrics` of a running service says is exact, whatever was killed in between."""

from __future__ import annotations

import os
import re
import signal
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.domain.delivery import Ending
from acuse.domain.record import Key
from tests.acceptance.plane import Samples, ops_plane, samples
from tests.acceptance.service import ACTIONS, PATIENCE_SECONDS, Running, acuse, children, until
from tests.requests import new_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def seen(service: Running) -> Samples:
    return samples(service.client, f"{service.ops}/metrics")


def total(found: Samples, name: str) -> float:
    return sum(value for series, value in found.items() if series.partition("{")[0] == name)


def counted(found: Samples, *names: str) -> Samples:
    """What is not zero of those metrics."""
    return {series: value for series, value in found.items() if value and series.partition("{")[0] in names}


def test_the_numbers_are_exact(data: Path) -> None:
    with Running(data, "--workers", 2) as service:
        until(service.ready, "readiness")
        before = seen(service)
        sent = [{"id": new_id(), "action": "echo", "text": "x" * number} for number in range(5)]
        for one in (*sent, *sent[:3]):
            assert service.post(**one).status_code in (200, 201)
        for one in sent[:2]:
            assert service.post(**one, more=1).status_code == 409
        assert service.client.post(service.url, content=b"{", headers={"content-type": "text/json"}).status_code == 415
        assert service.client.post(service.url, json=7).status_code == 422
        lines = "\n".join(f'{{"id": "{new_id()}", "action": "echo"}}' for _ in range(3)) + "\n{\n"
        bulk = service.client.post(service.url, content=lines, headers={"content-type": "application/x-ndjson"})
        assert bulk.status_code == 207
        for how in ("raises", "refuses", "postpones", "hangs"):
            assert service.post(action="misbehaves", how=how).status_code == 201
        assert service.post(action="sums", upto=3).status_code == 201
        found = until(lambda: total(seen(service), "acuse_requests_ended_total") == 13 and seen(service), "their end")
        version = service.client.get(f"{service.ops}/openapi.json").json()["info"]["version"]

    assert counted(before, *(name.partition("{")[0] for name in before if not name.startswith("acuse_commit"))) == {
        'acuse_ready{check="intake"}': 1,
        'acuse_ready{check="worker-1"}': 1,
        'acuse_ready{check="worker-2"}': 1,
        "acuse_store_up": 1,
        f'acuse_build_info{{version="{version}"}}': 1,
    }
    assert before['acuse_requests_ended_total{action="echo",outcome="raised"}'] == 0, "what may come is there as zero"
    assert before['acuse_attempts_total{action="sums",step="merge"}'] == 0
    assert before['acuse_requests_refused_total{problem="overloaded"}'] == 0
    assert counted(
        found, "acuse_requests_accepted_total", "acuse_requests_replayed_total", "acuse_requests_refused_total"
    ) == {
        'acuse_requests_accepted_total{action="echo"}': 8,
        'acuse_requests_accepted_total{action="misbehaves"}': 4,
        'acuse_requests_accepted_total{action="sums"}': 1,
        'acuse_requests_replayed_total{action="echo"}': 3,
        'acuse_requests_refused_total{problem="conflict"}': 2,
        'acuse_requests_refused_total{problem="invalid"}': 1,
        'acuse_requests_refused_total{problem="malformed"}': 1,
        'acuse_requests_refused_total{problem="unsupported-media-type"}': 1,
    }
    assert found["acuse_commit_requests_sum"] == 13 + 3 + 2
    assert found["acuse_commit_requests_count"] == found["acuse_commit_duration_seconds_count"] <= 18
    assert counted(
        found, "acuse_attempts_total", "acuse_requests_ended_total", "acuse_request_duration_seconds_count"
    ) == {
        'acuse_attempts_total{action="echo",step="run"}': 8,
        'acuse_attempts_total{action="misbehaves",step="run"}': 2 + 1 + 2 + 2,
        'acuse_attempts_total{action="sums",step="split"}': 1,
        'acuse_attempts_total{action="sums",step="process"}': 3,
        'acuse_attempts_total{action="sums",step="merge"}': 1,
        'acuse_requests_ended_total{action="echo",outcome="finished"}': 8,
        'acuse_requests_ended_total{action="misbehaves",outcome="finished"}': 1,
        'acuse_requests_ended_total{action="misbehaves",outcome="raised"}': 1,
        'acuse_requests_ended_total{action="misbehaves",outcome="refused"}': 1,
        'acuse_requests_ended_total{action="misbehaves",outcome="timed-out"}': 1,
        'acuse_requests_ended_total{action="sums",outcome="finished"}': 1,
        'acuse_request_duration_seconds_count{action="echo"}': 8,
        'acuse_request_duration_seconds_count{action="misbehaves"}': 4,
        'acuse_request_duration_seconds_count{action="sums"}': 1,
    }
    runs = counted(found, "acuse_run_duration_seconds_count")
    assert {re.findall("outcome=.(.*?).,", name)[0]: value for name, value in runs.items() if "misbehaves" in name} == {
        "finished": 1, "raised": 2, "refused": 1, "retry": 1, "timed-out": 2,
    }  # fmt: skip
    assert total(found, "acuse_leases_lost_total") == 0
    assert all(found[f'acuse_waiting{{action="{action}"}}'] == 0 for action in ("echo", "misbehaves", "sums"))


def test_no_counter_ever_falls_whatever_is_killed_and_each_goes_on_from_where_it_was(data: Path) -> None:
    done = threading.Event()

    def client(service: Running) -> None:
        while not done.is_set():
            service.accept()

    with Running(data, "--workers", 2) as service:
        until(service.ready, "readiness")
        clients = [threading.Thread(target=client, args=(service,)) for _ in range(3)]
        for one in clients:
            one.start()
        last = seen(service)
        for kind in ("api", "worker", "ops"):
            target = total(last, "acuse_requests_ended_total") + 20
            service.kill(kind)

            def rises(target: float = target) -> Samples | None:
                nonlocal last
                try:
                    found = seen(service)
                except httpx.TransportError:
                    return None
                fallen = {name for name, value in last.items() if _is_counted(name) and found.get(name, 0.0) < value}
                assert fallen == set()
                last = found
                return found if total(found, "acuse_requests_ended_total") >= target else None

            until(rises, f"progress after {kind} was killed")
        done.set()
        for one in clients:
            one.join()
        assert total(last, "acuse_requests_accepted_total") > 100


def _is_counted(name: str) -> bool:
    return name.partition("{")[0].endswith(("_total", "_count", "_sum"))


def test_a_run_whose_work_was_taken_up_elsewhere_is_a_lease_that_was_lost(data: Path, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with Running(data, "--workers", 1) as service:
        sent = service.accept(action="notes", book=str(book), until=str(go))
        until(book.exists, "the run")
        service.kill("worker", signal.SIGSTOP)
        other = Service(Settings(data=data, actions=(str(ACTIONS),), lease=timedelta(seconds=1)), anew=False)
        [delivery] = until(lambda: other.queue.receive(1, timedelta(seconds=1)), "its lease to run out")
        assert delivery.key == Key(sent["id"])
        assert other.store.settle([Ending(delivery=delivery, at=other.clock.now(), result=b'"elsewhere"')]) == [True]
        go.touch()
        service.kill("worker", signal.SIGCONT)

        until(lambda: seen(service)["acuse_leases_lost_total"] == 1, "the lost lease")
        found = seen(service)
        assert service.ended(sent)["result"] == "elsewhere"

    assert total(found, "acuse_requests_ended_total") == 0
    assert counted(found, "acuse_attempts_total") == {'acuse_attempts_total{action="notes",step="run"}': 1}


def test_what_waits_and_what_runs_is_told_also_while_it_drains(data: Path, tmp_path: Path) -> None:
    book, go = tmp_path / "book", tmp_path / "go"
    with Running(data, "--workers", 1, "--runners", 1) as service:
        for _ in range(4):
            service.accept(action="notes", book=str(book), until=str(go))
        until(book.exists, "the run")
        until(service.ready, "readiness")
        found = until(lambda: (one := seen(service)).get('acuse_waiting{action="notes"}') == 3 and one, "what waits")
        assert found['acuse_running{action="notes"}'] == 1
        assert found['acuse_oldest_waiting_seconds{action="notes"}'] > 0
        service.process.terminate()

        until(lambda: not service.ready(), "the end of readiness")
        until(lambda: "worker: draining" in service.log.read_text(), "the worker to hear of it")
        assert service.pids("api") == []
        answer = service.client.get(service.health)
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")
        assert seen(service)['acuse_running{action="notes"}'] == 1
        assert service.pids("worker")
        go.touch()
        assert service.process.wait(PATIENCE_SECONDS) == 0


def test_where_others_can_reach_it_all_but_health_asks_for_a_key(data: Path) -> None:
    key = acuse("keys", "new", "prometheus", data=data).stdout.strip()
    with Running(data, ACUSE_OPS_HOST="0.0.0.0") as service:  # noqa: S104
        until(service.ready, "readiness")
        for path in ("/metrics", "/openapi.json", "/"):
            assert service.client.get(service.ops + path).status_code == 401
            assert service.client.get(service.ops + path, auth=("any", key)).status_code == 200


def test_the_ops_plane_alone_shows_the_records_of_a_service_that_is_gone(data: Path) -> None:
    with Running(data, "--workers", 0) as service:
        sent = service.accept()

    with ops_plane("ops", "--data", data, "--actions", ACTIONS) as (client, process):
        ready = until(lambda: client.get("/health/ready"), "an answer")
        found = samples(client, "/metrics")
        page = client.get(f"/requests/{sent['id']}")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_SECONDS) == 0

    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"store": True}})
    assert found['acuse_waiting{action="echo"}'] == 1
    assert counted(found, "acuse_ready", "acuse_store_up") == {'acuse_ready{check="store"}': 1, "acuse_store_up": 1}
    assert total(found, "acuse_requests_accepted_total") == 0, "nothing is counted here"
    assert page.status_code == 200


def test_the_ops_plane_alone_needs_records_to_show(data: Path) -> None:
    told = acuse("ops", data=data)

    assert told.returncode == 2
    assert "there is no database" in told.stderr
    assert not data.exists()


def test_a_worker_may_have_an_ops_plane_of_its_own(data: Path) -> None:
    with Running(data, "--workers", 0) as service:
        sent = [service.accept() for _ in range(3)]

        with ops_plane("work", "--data", data, "--actions", ACTIONS) as (client, process):
            until(lambda: total(samples(client, "/metrics"), "acuse_requests_ended_total") == 3, "their end")
            ready = client.get("/health/ready")
            for pid in _workers(process.pid):
                os.kill(pid, signal.SIGKILL)
            another = service.accept()
            until(lambda: total(samples(client, "/metrics"), "acuse_requests_ended_total") == 4, "the end of another")
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0

        assert {service.ended(one)["status"] for one in (*sent, another)} == {"finished"}
        assert total(seen(service), "acuse_requests_ended_total") == 0, "who worked has counted"

    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"worker-1": True}})


def _workers(parent: int) -> list[int]:
    return [pid for pid, args in children(parent).items() if '"kind":"worker"' in args]
