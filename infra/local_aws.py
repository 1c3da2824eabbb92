"""LocalAws: an AWS on this machine, without an account (ministack), in a process of its own and on loopback only."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
ACCOUNT = "000000000000"
REGION = "eu-west-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
SERVER = "infra.local_server"
START_SECONDS = 60.0
NOT_ITS_OWN = ("AWS_", "ACUSE_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
"""What its functions would find in their environment, and no function on AWS would."""


class LocalAws:
    """What answers, or will, at this port."""

    def __init__(self, port: int) -> None:
        """Nothing is started yet."""
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}
        """With it any client of AWS that a process makes is one of this."""

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client, whatever the environment says."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  (there is no secret)
            config=Config(retries={"total_max_attempts": 3}, **options),
        )

    def is_process(self, pid: int) -> bool:
        """Whether that process is what answers there, and not one that came first."""
        try:
            health = httpx.get(f"{self.url}/_ministack/health", timeout=5)
            return bool(health.is_success and health.json()["edition"] == edition(pid))
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return False

    def wait_for(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """The process answers. Raises NotRunning with what it last said if it does not."""
        if not waited(lambda: process.poll() is not None or self.is_process(process.pid), START_SECONDS):
            raise NotRunning(f"the local AWS does not answer at {self.url}")
        if process.poll() is not None:
            raise NotRunning(f"the local AWS has ended:\n{log.read_text()[-2_000:]}")


class NotRunning(Exception):
    """There is no local AWS where one was expected."""


def launch(
    aws: LocalAws, folder: Path, *arguments: str, module: str = SERVER, settings: Mapping[str, str] = {}
) -> subprocess.Popen[bytes]:
    """It starts, in a session of its own. What it writes goes to that folder: files that come and go, and `log`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_ITS_OWN)}
    own = {
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(aws.port),
        "IOT_MTLS_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "SFTP_ENABLED": "0",
        "TMPDIR": str(folder),
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**inherited, **aws.environment, **own, **settings},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def edition(pid: int) -> str:
    """By which the local AWS that is that process makes itself known."""
    return f"acuse-{pid}"


def waited(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)
    return True
