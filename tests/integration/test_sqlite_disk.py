"""The whole service on a disk that is full: at the start, under load, during a checkpoint."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from tests.acceptance.service import Running, until
from tests.integration.another import Another
from tests.integration.disk import disk, namespace
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

CLIENTS = 3


class Load:
    """Clients that send one request after another until told to stop, and keep what was acknowledged."""

    def __init__(self, service: Running) -> None:
        self.acknowledged: list[dict[str, Any]] = []
        self.refused = 0
        self.faults: list[object] = []
        self._service = service
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._stopped.is_set():
                sent = {"id": new_id(), "action": "echo", "note": "x" * 2000}
                response = client.post(self._service.url, json=sent)
                if response.status_code == 201:
                    self.acknowledged.append(sent)
                elif response.status_code == 503:
                    self.refused += 1
                    self._stopped.wait(0.01)
                else:
                    self.faults.append(response.text)


def test_on_a_full_disk_all_is_refused_and_when_there_is_room_again_all_goes_on(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if inside := namespace(tmp_path):
        command = [*inside, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", request.node.nodeid]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=request.config.rootpath)
        assert ran.returncode == 0, ran.stdout
        return

    with disk(tmp_path / "disk") as made:
        print("the disk:", type(made).__name__)
        made.fill()
        serve = [sys.executable, "-m", "acuse", "serve", "--port", "0", "--ops-port", "0", "--data", str(made.folder)]
        refused = subprocess.run([*made.full(), *serve], check=False, capture_output=True, text=True)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert f"{made.folder}/acuse.db: SQLITE_" in refused.stderr
        made.free()

        with (
            Running(made.folder, "--workers", "1", ACUSE_BUSY="0.2") as service,
            Another(made.folder / "acuse.db") as another,
        ):
            assert another.execute("SELECT count(*) FROM record") == [[0]]
            service.ended(service.accept())  # From now on the worker has the file open.
            pids = [*service.pids("api"), *service.pids("worker")]
            load = Load(service)
            with load.running():
                until(lambda: len(load.acknowledged) >= 20, "some that are acknowledged")
                made.fill([*pids, another.pid])
                until(lambda: load.refused >= 20, "some that are refused")
                until(lambda: not service.ready(), "the fault to be seen")
                assert another.execute("PRAGMA wal_checkpoint(FULL)") in {"SQLITE_FULL", "SQLITE_IOERR_WRITE"}
                made.free([*pids, another.pid])
                count = len(load.acknowledged)
                until(lambda: len(load.acknowledged) >= count + 20, "some more that are acknowledged")

            assert load.faults == []
            for sent in load.acknowledged:
                assert service.ended(sent)["status"] == "finished"
            until(service.ready, "all to be well")
            assert [*service.pids("api"), *service.pids("worker")] == pids
            assert another.execute("PRAGMA integrity_check") == [["ok"]]
