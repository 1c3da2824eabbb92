"""Starts the service, submits single requests and the roll-up of all flights, waits, and shows what came of them.

`make demo` runs it. It uses free ports and a folder of its own, which it names at the end.
"""

from __future__ import annotations

import os
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


def main() -> None:
    """Everything ended as finished, or it exits with 1."""
    console = Console(width=110)
    folder = Path(tempfile.mkdtemp(prefix="acuse-demo-"))
    requests = [{"id": str(uuid.uuid4()), "action": "delay", "seconds": seconds} for seconds in (0.2, 0.5, 1.0)]
    requests.append({"id": str(uuid.uuid4()), "action": "flights", "asked_by": "the demo"})
    with _service(folder) as url, httpx.Client(timeout=30) as client:
        for request in requests:
            answer = client.post(url, json=request)
            console.print(f"POST {request['action']:<8} {answer.status_code} {answer.reason_phrase}")
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


@contextmanager
def _service(folder: Path) -> Iterator[str]:
    """The address of its requests."""
    command = [
        sys.executable, "-m", "acuse", "serve", "--data", str(folder / "data"), "--port", "0", "--ops-port", "0",
        "--actions", str(ACTIONS),
    ]  # fmt: skip
    environment = {**os.environ, "FLIGHTS_FOLDER": str(folder / "flights"), "ACUSE_LOG_LEVEL": "WARNING"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line)
            if found := re.search(r"requests +(\S+)", line):
                break
        else:
            sys.exit(f"the service did not start: {''.join(lines)}")
        try:
            yield found[1]
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
