"""Durable POSTs a second against no-op POSTs a second, on the same server pinned to one core, in turn.

With --traced, durable ones that are traced against those that are not, too; their spans go to a no-op receiver.
Needs wrk (https://github.com/wg/wrk) on the PATH. `python -m bench.intake --help` lists the options.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from acuse.adapters.metrics import cells
from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.entrypoints.counted import counting_intake
from acuse.entrypoints.process import serve_api
from acuse.entrypoints.server import serve
from bench.noop import noop

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("post.lua")


def main() -> None:
    """Print the rate of each round, the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=0, help="the server's; wrk has the others")
    parser.add_argument("--folder", type=Path, help="where the database lies; its disk is part of what is measured")
    parser.add_argument("--traced", type=float, help="also with tracing on; so much of all traces is kept: 0 to 1")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("bench: wrk is not on the PATH")
    kinds = ["noop", "durable"] if options.traced is None else ["noop", "durable", "traced"]
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(1, options.rounds + 1):
        for kind, found in rates.items():
            with (
                tempfile.TemporaryDirectory(dir=options.folder) as folder,
                _receiving(options.traced, options.core),
                _served(kind, Path(folder), {options.core}) as url,
            ):
                found.append(_rate(url, options.connections, options.seconds, options.core))
            print(f"round {number}  {kind:<8} {found[-1]:>9,.0f} POST/s", flush=True)
    for kind, found in rates.items():
        print(f"median   {kind:<8} {statistics.median(found):>9,.0f} POST/s")
    for base, kind in itertools.pairwise(kinds):
        ratios = [one / other for one, other in zip(rates[kind], rates[base], strict=True)]
        print(f"ratio    {kind}/{base}: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    print(
        f"({options.connections} connections, one core, {options.rounds} rounds of {options.seconds} s each, in turn)"
    )


@contextmanager
def _receiving(share: float | None, core: int) -> Iterator[None]:
    """Where there is a share of traces to be kept, the environment says so, and who takes them."""
    if share is None:
        yield
        return
    with _served("noop", Path(), _others(core)) as url:
        os.environ |= {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url,
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": str(share),
        }
        yield


@contextmanager
def _served(kind: str, data: Path, cores: set[int]) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, cores)
        settings = Settings(data=data, tracing=kind == "traced")
        if kind == "noop":
            uvloop.run(serve(noop, listening, settings))
        else:
            service = Service(settings)
            observe = counting_intake(cells.create(), service.catalogue)
            uvloop.run(serve_api(service, listening, lambda: None, observe))
        os._exit(0)
    url = "http://{}:{}/v1/requests".format(*listening.getsockname())
    listening.close()
    try:
        yield url
    finally:
        os.kill(pid, 15)
        os.waitpid(pid, 0)


def _others(core: int) -> set[int]:
    return os.sched_getaffinity(0) - {core} or {core}


def _rate(url: str, connections: int, seconds: int, core: int) -> float:
    load = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), url, "--", secrets.token_hex(4)]
    output = subprocess.run(
        ["taskset", "-c", ",".join(map(str, _others(core))), *load],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"bench: not every request was answered\n{output}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if found is None:
        sys.exit(f"bench: wrk said nothing of its rate\n{output}")
    return float(found[1])


if __name__ == "__main__":
    main()
