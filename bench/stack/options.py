"""What the command line says."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import msgspec

from acuse.config import CLIENT_KEY
from bench.stack.access import Access
from bench.stack.plan import Plan

FEWEST_CONNECTIONS, MOST_CONNECTIONS = 10, 900
MOST_IN_BULK = 1_000


def parser() -> argparse.ArgumentParser:
    """Every option with its default."""
    made = argparse.ArgumentParser(
        prog="python -m bench.stack",
        description="A load test at constant rates, for a service that is deployed. Read docs/how-to/load-test.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    made.add_argument("--url", required=True, help="where the service is")
    access = made.add_mutually_exclusive_group()
    access.add_argument("--key", help=f"a key or a token; better in {CLIENT_KEY}")
    access.add_argument(
        "--sigv4", nargs="?", const="", metavar="REGION", help="sign with AWS credentials, for an IAM authorizer"
    )
    made.add_argument("--insecure", action="store_true", help="send the key or the signature over plain HTTP")
    rates = made.add_mutually_exclusive_group()
    rates.add_argument("--rate", type=_positive, default=10.0, help="requests a second, in one step")
    rates.add_argument("--steps", type=_rates, metavar="RATE,…", help="one step after the other: 10,100,1000")
    made.add_argument("--seconds", type=_positive, default=60.0, help="of each step")
    made.add_argument("--warm-up", type=float, default=5.0, help="seconds at the first rate that are not counted")
    made.add_argument("--bulk", type=_bulk, default=1, help="requests in one POST; the rate counts requests")
    made.add_argument("--action", default="delay", help="of each request")
    made.add_argument("--seconds-of-work", type=float, default=0.1, help="how long a delay lasts")
    made.add_argument("--members", type=_members, help="the action's fields, a JSON object")
    made.add_argument("--connections", type=_count, help="at once, in each process; as many as the rate by default")
    made.add_argument("--processes", type=_count, default=1, help="that send; more for thousands a second")
    made.add_argument("--timeout", type=_positive, default=30.0, help="seconds until a POST is given up")
    made.add_argument("--sample", type=int, default=500, help="stored requests of each step that are read to their end")
    made.add_argument("--patience", type=_positive, default=60.0, help="seconds to wait for their end")
    made.add_argument("--max-rate", type=_positive, default=1000.0, help="a rate above it needs --yes")
    made.add_argument("--yes", action="store_true", help="a rate above --max-rate is meant")
    made.add_argument("--json", type=_file, metavar="FILE", help="write everything that was found")
    made.add_argument("--png", type=_file, metavar="FILE", help="write rate and latency over time as a picture")
    return made


def access(options: argparse.Namespace) -> Access:
    """How the service is told who sends."""
    is_signed = options.sigv4 is not None
    key = options.key or os.environ.get(CLIENT_KEY)
    return Access(key=None if is_signed else key, sigv4=is_signed, region=options.sigv4 or None)


def plan(options: argparse.Namespace, url: str) -> Plan:
    """What is to be sent to that address."""
    rates = options.steps or (options.rate,)
    work = {"seconds": options.seconds_of_work} if options.action == "delay" else {}
    usual = min(max(FEWEST_CONNECTIONS, round(max(rates) / options.processes)), MOST_CONNECTIONS)
    return Plan(
        url=url,
        rates=rates,
        seconds=options.seconds,
        warm_up=max(0.0, options.warm_up),
        bulk=options.bulk,
        connections=options.connections or usual,
        processes=options.processes,
        timeout=options.timeout,
        sample=max(0, options.sample),
        patience=options.patience,
        members={"action": options.action, **work, **(options.members or {})},
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def _rates(text: str) -> tuple[float, ...]:
    return tuple(_positive(one) for one in text.split(","))


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("1 at least")
    return value


def _bulk(text: str) -> int:
    value = _count(text)
    if value > MOST_IN_BULK:
        raise argparse.ArgumentTypeError(f"{MOST_IN_BULK:,} at most")
    return value


def _file(text: str) -> Path:
    """Said before the test, not after it."""
    file = Path(text)
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return file


def _members(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise argparse.ArgumentTypeError(f"not a JSON object: {error}") from error
