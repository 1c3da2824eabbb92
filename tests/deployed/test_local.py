"""What `make deploy-local` and `make destroy-local` run."""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from infra.local_aws import ACCOUNT, HOST, ROOT, LocalAws, NotRunning
from infra.local_service import LocalService

from tests.acceptance.service import children, exists, until
from tests.deployed.stage import CODE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Whatever runs for it is stopped in the end."""
    yield tmp_path
    LocalService(tmp_path).stop()


@pytest.fixture
def port() -> int:
    with socket.create_server((HOST, 0)) as free:
        return int(free.getsockname()[1])


def test_what_it_prints_can_be_pasted_and_works_until_it_is_destroyed(folder: Path, port: int) -> None:
    deployed = _local(folder, "deploy", "--code", str(CODE), "--port", str(port))

    assert deployed.returncode == 0, deployed.stderr
    (command,) = re.findall(r"^ +(curl (?:.*\\\n)*.*)$", deployed.stdout, re.MULTILINE)
    assert [_sent(command).status_code for _ in range(2)] == [201, 200]
    until(lambda: _sent(command).json()["status"] == "finished", "the end")
    exports = shlex.split(" ".join(re.findall(r"^ +export (.*)$", deployed.stdout, re.MULTILINE)))
    listed = subprocess.run(
        [sys.executable, "-m", "acuse", "list"],
        check=False,
        env={**os.environ, **dict(export.split("=", 1) for export in exports)},
        capture_output=True,
        text=True,
    )
    assert listed.stdout.startswith(_sent(command).json()["id"]), listed.stderr

    again = _local(folder, "deploy", "--code", str(CODE), "--port", str(port))
    assert again.stdout.splitlines()[0] == deployed.stdout.splitlines()[0]
    assert _sent(command).json()["status"] == "finished"

    assert _local(folder, "destroy").stdout == f"Deleted, and stopped at http://{HOST}:{port}.\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))
    assert _local(folder, "destroy").stdout == "Nothing runs.\n"


def test_it_is_found_again_and_started_again_when_it_is_gone(folder: Path, port: int) -> None:
    service = LocalService(folder)
    assert service.running() is None
    pid = _start(folder, port)

    assert _start(folder, port + 1) == pid
    running = service.running()
    assert running is not None
    assert running.port == port
    os.kill(pid, signal.SIGKILL)
    until(lambda: service.running() is None, "it to be gone")
    assert _start(folder, port) != pid


def test_it_outlives_what_started_it_and_takes_its_functions_along(folder: Path, port: int) -> None:
    pid = _start(folder, port)
    began = folder / "began"
    _call_without_end(LocalAws(port), began)
    until(began.exists, "the call")
    (function,) = children(pid)

    LocalService(folder).stop()

    until(lambda: not exists(pid) and not exists(function), "both to be gone")
    assert LocalService(folder).running() is None


def test_a_stranger_on_its_port_is_not_taken_for_it(folder: Path) -> None:
    with socket.create_server((HOST, 0)) as stranger, pytest.raises(NotRunning, match="taken by something else"):
        LocalService(folder).start(stranger.getsockname()[1])


def test_only_one_runs_in_a_folder(folder: Path, port: int) -> None:
    _start(folder, port)
    second = [sys.executable, "-m", "infra.local_server", "--lock", str(folder / "lock")]

    refused = subprocess.run(second, check=False, cwd=ROOT, capture_output=True, text=True)

    assert refused.stderr == f"{folder}/lock: another local AWS is running already\n"
    assert refused.returncode == 1


def test_what_cannot_be_deployed_is_said(folder: Path, port: int) -> None:
    deployment = folder / "deployment.toml"
    deployment.write_text("name = 7")

    refused = _local(folder, "deploy", "--code", str(CODE), "--port", str(port), "--deployment", str(deployment))

    assert refused.returncode == 1
    assert "Expected `str`, got `int`" in refused.stderr
    assert refused.stderr.splitlines()[-1] == "nothing was deployed"


def _local(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local", "--folder", str(folder), *arguments]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)


def _sent(command: str) -> httpx.Response:
    """What curl would get."""
    curl = argparse.ArgumentParser()
    curl.add_argument("-i", action="store_true")
    curl.add_argument("-H")
    for option in ("--aws-sigv4", "--user", "-d"):
        curl.add_argument(option)
    curl.add_argument("url")
    given = curl.parse_args(shlex.split(command.replace("\\\n", ""))[1:])
    _, _, region, service = given.aws_sigv4.split(":")
    request = AWSRequest("POST", given.url, dict([given.H.split(": ")]), given.d)
    SigV4Auth(Credentials(*given.user.split(":")), service, region).add_auth(request)
    return httpx.post(given.url, content=given.d, headers=dict(request.headers.items()), timeout=30, trust_env=False)


def _start(folder: Path, port: int) -> int:
    """The process id of what runs then, started by a process that has ended."""
    start = f"LocalService(Path({str(folder)!r})).start({port})"
    program = f"from pathlib import Path\nfrom infra.local_service import LocalService\n{start}"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
    pid, port_of_it = map(int, (folder / "lock").read_text().split())
    assert LocalAws(port_of_it).is_process(pid)
    return pid


def _call_without_end(aws: LocalAws, began: Path) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        lines = f"open({str(began)!r}, 'w').close()", "threading.Event().wait()"
        file.writestr("module.py", f"import threading\ndef handler(event, context):\n {'; '.join(lines)}")
    with closing(aws.client("lambda")) as functions:
        functions.create_function(
            FunctionName="function",
            Runtime="python3.11",
            Role=f"arn:aws:iam::{ACCOUNT}:role/role",
            Handler="module.handler",
            Timeout=900,
            Code={"ZipFile": package.getvalue()},
        )
        functions.invoke(FunctionName="function", InvocationType="Event")
