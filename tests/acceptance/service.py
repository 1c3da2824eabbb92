"""The whole service, as an operator runs it: `acuse serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

ACTIONS = Path(__file__).parent.parent / "actions.py"
BUFFERED = {**os.environ, "PYTHONUNBUFFERED": ""}
"""As Python writes where nobody says otherwise: what was printed last, at the end."""
PATIENCE_SECONDS = 60.0


def until(true: Callable[[], Any], what: str) -> Any:
    """What the function returned when it was first true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what}: not after {PATIENCE_SECONDS:g} s"
        threading.Event().wait(0.02)
    return found


def acuse(*arguments: object, data: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    command = [sys.executable, "-m", "acuse", *map(str, arguments), *(["--data", str(data)] if data else [])]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS, **options)


def children(pid: int) -> dict[int, str]:
    """The process ids and the command lines of its children."""
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], check=True, capture_output=True, text=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return {int(child): args for child, parent, args in rows if int(parent) == pid and "<defunct>" not in args}


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(") ", 1)[1][0] != "Z"


class Running:
    """A service that runs until the block is left."""

    def __init__(self, data: Path, *arguments: object, actions: Path = ACTIONS, **environment: str) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "acuse", "serve", "--data", str(data), "--port", "0", "--ops-port", "0",
                    "--actions", str(actions), *map(str, arguments),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "ACUSE_LEASE": "1", **environment},
            )  # fmt: skip
        assert self.process.stdout is not None
        said = ""
        while "Try it" not in said:
            line = self.process.stdout.readline()
            assert line, f"it ended at once: {self.log.read_text()}"
            said += line
        self.url = re.findall(r"requests +(\S+)", said)[0]
        self.health = re.findall(r"health +(\S+)", said)[0]
        self.ops = self.health.removesuffix("/health/ready")
        self.client = httpx.Client(timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def post(self, **members: Any) -> httpx.Response:
        return self.client.post(self.url, json={"id": new_id(), "action": "echo", **members})

    def accept(self, **members: Any) -> dict[str, Any]:
        """The request as it was sent, once it is acknowledged; sent again while the service is out of reach."""
        sent = {"id": new_id(), "action": "echo", **members}
        until(lambda: self._acknowledges(sent), f"an answer to {sent}")
        return sent

    def ended(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The record of what was sent, once it has ended, read by sending it again."""

        def record() -> dict[str, Any] | None:
            try:
                response = self.client.post(self.url, json=sent)
            except httpx.TransportError:
                return None
            assert response.status_code == 200, response.text
            found: dict[str, Any] = response.json()
            return found if found["finished_at"] else None

        found: dict[str, Any] = until(record, f"the end of {sent}")
        assert found | sent == found
        return found

    def ready(self) -> bool:
        try:
            return self.client.get(self.health).status_code == 200
        except httpx.TransportError:
            return False

    def pids(self, kind: str) -> list[int]:
        """The processes of that kind: api, ops or worker."""
        return [pid for pid, args in children(self.process.pid).items() if f'"kind":"{kind}"' in args]

    def kill(self, kind: str, signum: signal.Signals = signal.SIGKILL) -> list[int]:
        found = until(lambda: self.pids(kind), f"a process of kind {kind}")
        for pid in found:
            os.kill(pid, signum)
        return list(found)

    def _acknowledges(self, sent: dict[str, Any]) -> bool:
        try:
            return self.client.post(self.url, json=sent).status_code in (200, 201)
        except httpx.TransportError:
            return False
