"""The command lines of the tasks, as the template has them, started here with the environment that they get there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
from infra.local_aws import REGION

from tests.acceptance.service import ACTIONS, PATIENCE_SECONDS, until
from tests.aws.local import local_aws
from tests.aws.stack import Stack
from tests.infra.fargate import INSIDE, container, only
from tests.infra.stacks import stacks
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator


BUNDLE = Path(__file__).parent.parent.parent / "build" / "bundle"
PROGRAMS = Path(sys.executable).parent
ENTRYPOINT = str(PROGRAMS / "acuse")
HERE = {"ACUSE_PORT": "0", "ACUSE_OPS_PORT": "0", "ACUSE_ACTIONS": str(ACTIONS)}
"""What is otherwise than in the task: ports that are free, and actions that a test can hold."""


class Task:
    """A task with that name, in a folder of its own, until the block is left."""

    def __init__(self, name: str, stack: Stack, folder: Path) -> None:
        self._container = container(stacks(INSIDE), name)
        self._log = folder / f"{name}.log"
        self._folder = folder
        self._environment = {
            **local_aws().environment,
            **{one["Name"]: _filled(one["Value"], stack.table) for one in self._container["Environment"]},
            **HERE,
            "PATH": f"{PROGRAMS}{os.pathsep}{os.defpath}",
        }
        self._process = self._start([ENTRYPOINT, *self._container["Command"]])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def said(self, what: str) -> str:
        """The address that it names so, as soon as it does."""

        def found() -> list[str]:
            assert self._process.poll() is None, self.log
            return re.findall(rf"{what} +http://\S+:(\d+)", self.log)

        [port] = until(found, f"{what} in the log")
        return f"http://127.0.0.1:{port}"

    def is_healthy(self) -> bool:
        """What ECS finds when it asks."""
        kind, *command = self._container["HealthCheck"]["Command"]
        assert kind == "CMD"
        asked = [part.replace("http://127.0.0.1:8081", self.said("health")) for part in command]
        return subprocess.run(asked, env=self._environment, check=False, capture_output=True).returncode == 0

    def tell(self) -> None:
        """It is told to end."""
        self._process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """The code with which it ends."""
        return self._process.wait(PATIENCE_SECONDS)

    def command(self, *arguments: str) -> str:
        """What another command says in its environment."""
        told = subprocess.run(
            [ENTRYPOINT, *arguments], env=self._environment, check=True, capture_output=True, text=True
        )
        return told.stdout

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(command, env=self._environment, cwd=self._folder, stdout=log, stderr=log)


def _filled(value: Any, name: str) -> str:
    """The text, with the name of the table, and of the queue, where it refers to them."""
    match value:
        case str():
            return value
        case {"Ref": "AWS::Region"}:
            return REGION
        case {"Fn::Join": ["", parts]}:
            return "".join(part if isinstance(part, str) else name for part in parts)
    raise AssertionError(value)


@pytest.fixture
def stack() -> Iterator[Stack]:
    assert BUNDLE.is_dir(), "run `make bundle` first"
    with Stack(local_aws(), BUNDLE, has_worker=False) as made:
        yield made


def test_the_tasks_take_a_request_run_it_and_end_in_order_when_they_are_told(stack: Stack, tmp_path: Path) -> None:
    check = only(stacks(INSIDE), "AWS::ElasticLoadBalancingV2::TargetGroup")
    book, go_on = tmp_path / "book", tmp_path / "go on"
    request = {"id": new_id(), "action": "notes", "book": str(book), "until": str(go_on)}
    with Task("Api", stack, tmp_path) as api, Task("Worker", stack, tmp_path) as worker:
        url = api.said("requests")
        until(api.is_healthy, "health")
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            assert str(client.get(check["HealthCheckPath"]).status_code) == check["Matcher"]["HttpCode"]
            assert client.post("/v1/requests", json=request).status_code == 401
            assert "acuse keys new" in api.log

            client.headers["authorization"] = f"Bearer {api.command('keys', 'new', 'client').split()[-1]}"
            until(lambda: client.post("/v1/requests", json=request).status_code == 201, "the key to be known")
            until(book.exists, "the run")
            worker.tell()
            until(lambda: "draining" in worker.log, "the end of work")
            go_on.touch()
            assert worker.ended() == 0
            record = client.post("/v1/requests", json=request).json()
        api.tell()
        assert api.ended() == 0

    assert (record["status"], record["attempts"]) == ("finished", 1)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"Api.log", "Worker.log", "book", "go on"}, "it writes where it was started"
