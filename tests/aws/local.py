"""A local AWS (ministack) in a process of its own."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import types
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from acuse.adapters.lifeline import die_with_parent

REGION = "eu-west-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
STILL_CLOCK = "STILL_CLOCK"
"""Names the file with the time that the queues of this local AWS go by."""
START_SECONDS = 60.0
TIME = struct.Struct("d")
ROUNDING = 1e-6
"""Sums of floats may fall short of what they are compared with."""


class LocalAws:
    """Started when made; it ends with this process. Its queues may go by a clock that only the tests move."""

    def __init__(self, *, still: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="acuse-aws-")
        self._clock = Path(self._folder.name) / "clock"
        self.time = time.time()
        self.pass_time(0.0)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": self.url}
        own = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "TMPDIR": self._folder.name,
            **({STILL_CLOCK: str(self._clock)} if still else {}),
        }
        self.log = Path(self._folder.name) / "log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.aws.local", str(os.getpid())],
                env={**os.environ, **self.environment, **own},
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parent.parent.parent,
            )
        atexit.register(self.stop)
        self._await()

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client, for what a test itself does there."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  (there is no secret)
            config=Config(retries={"total_max_attempts": 3}, **options),
        )

    def pass_time(self, seconds: float) -> None:
        """For the queues it is so much later. Only where they stand still."""
        self.time += seconds + ROUNDING
        self._clock.write_bytes(TIME.pack(self.time))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _await(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                httpx.get(f"{self.url}/_ministack/health", timeout=5).raise_for_status()
            except httpx.HTTPError:
                assert self._process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, "the local AWS does not answer"
                threading.Event().wait(0.05)
            else:
                return


@cache
def local_aws(*, still: bool = False) -> LocalAws:
    """One for all the tests of this process: one with its own time, and one whose queues stand still."""
    return LocalAws(still=still)


class _StillTime:
    """Stands for the module `time` in the local AWS's queues."""

    def __init__(self, path: str) -> None:
        self._path = path

    def time(self) -> float:
        with open(self._path, "rb") as file:  # noqa: PTH123  (called for every message)
            return float(TIME.unpack(file.read())[0])


def _stream_partiql(dynamodb: Any) -> None:
    """What PartiQL writes is in the table's stream too, as on AWS; this version of the local AWS leaves it out."""
    set_item = dynamodb._set_item

    def streamed(table: Any, partition: str, sort: str, item: Any) -> Any:
        old = set_item(table, partition, sort, item)
        dynamodb._emit_stream_event(table["TableName"], "MODIFY" if old else "INSERT", old, item)
        return old

    for name in ("_partiql_insert", "_partiql_update"):
        write = getattr(dynamodb, name)
        assert "_set_item" in write.__code__.co_names
        assert "_emit_stream_event" not in write.__code__.co_names
        names = {**vars(dynamodb), "_set_item": streamed}
        setattr(dynamodb, name, types.FunctionType(write.__code__, names, name, write.__defaults__))


def main() -> None:
    die_with_parent(int(sys.argv.pop()), signal.SIGKILL)
    from ministack import app  # noqa: PLC0415  (reads the environment when it is imported)
    from ministack.services import dynamodb, sqs  # noqa: PLC0415

    _stream_partiql(dynamodb)
    if path := os.environ.get(STILL_CLOCK):
        sqs.time = _StillTime(path)
    app.main()


if __name__ == "__main__":
    main()
