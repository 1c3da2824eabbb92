"""Starts the service, submits single requests and the roll-up of all flights, waits, and shows what came of them.

`make demo` runs it. It uses free ports and a folder of its own, which it names at the end. For as many seconds as
`--watch` says it goes on with more of both, so that the page has something to show.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import httpx
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIONS = Path(__file__).with_name("flights.py")
LOOK_SECONDS = 0.1
ROLL_UP_EVERY = 50


def main() -> None:
    """Everything ended as finished, or it exits with 1."""
    parser = argparse.ArgumentParser(description="Start the service, submit requests, show what came of them.")
    parser.add_argument("--watch", type=float, default=0, metavar="SECONDS", help="go on for so long")
    seconds = parser.parse_args().watch
    console = Console(width=110)
    folder = Path(tempfile.mkdtemp(prefix="acuse-demo-"))
    requests = [{"id": str(uuid.uuid4()), "action": "delay", "seconds": seconds} for seconds in (0.2, 0.5, 1.0)]
    requests.append({"id": str(uuid.uuid4()), "action": "flights", "asked_by": "the demo"})
    with _service(folder) as (url, page), httpx.Client(timeout=30) as client:
        console.print(f"watch it at {page}")
        for request in requests:
            answer = client.post(url, json=request)
            console.print(f"POST {request['action']:<8} {answer.status_code} {answer.reason_phrase}")
        with console.status(f"submitting more; watch it at {page}"):
            _go_on(client, url, seconds)
        with console.status("waiting for the workers"):
            records = [_ended(client, url, request) for request in requests]
    console.print(_table(records))
    failed = [record for record in records if record["status"] != "finished"]
    for record in failed:
        console.print(record["error"])
    if failed:
        sys.exit(1)
    result = records[-1]["result"]
    console.print("result of the roll-up:", result)
    console.print(f"first rows of {Path(result['file']).name}:")
    duckdb.read_parquet(result["file"]).limit(8).show()
    console.print(f"everything is in {folder}")


def _go_on(client: httpx.Client, url: str, seconds: float) -> None:
    """For so long there was always something new."""
    until = time.monotonic() + seconds
    for number in itertools.count(1):
        if time.monotonic() >= until:
            return
        action = "delay" if number % ROLL_UP_EVERY else "flights"
        more = {"seconds": random.lognormvariate(-1, 1)} if action == "delay" else {}
        client.post(url, json={"id": str(uuid.uuid4()), "action": action, **more})
        time.sleep(LOOK_SECONDS)


@contextmanager
def _service(folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of its requests and of its page."""
    command = [
        sys.executable, "-m", "acuse", "serve", "--data", str(folder / "data"), "--port", "0", "--ops-port", "0",
        "--actions", str(ACTIONS),
    ]  # fmt: skip
    environment = {**os.environ, "FLIGHTS_FOLDER": str(folder / "flights"), "ACUSE_LOG_LEVEL": "WARNING"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line)
            if page := re.search(r"page +(\S+)", line):
                break
        else:
            sys.exit(f"the service did not start: {''.join(lines)}")
        try:
            yield re.findall(r"requests +(\S+)", "".join(lines))[0], page[1]
        finally:
            process.terminate()


def _ended(client: httpx.Client, url: str, request: dict[str, Any]) -> dict[str, Any]:
    """The record, once it has ended: the same POST again reads it."""
    while True:
        record: dict[str, Any] = client.post(url, json=request).json()
        if record["finished_at"]:
            return record
        time.sleep(LOOK_SECONDS)


def _table(records: list[dict[str, Any]]) -> Table:
    table = Table("id", "action", "status", "created_at", "finished_at", "took")
    for record in records:
        created, finished = (datetime.fromisoformat(record[name]) for name in ("created_at", "finished_at"))
        took = f"{(finished - created).total_seconds():.2f} s"
        table.add_row(
            record["id"][:8],
            record["action"],
            record["status"],
            f"{created:%H:%M:%S.%f}",
            f"{finished:%H:%M:%S.%f}",
            took,
        )
    return table


if __name__ == "__main__":
    main()
