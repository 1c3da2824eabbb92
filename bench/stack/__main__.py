"""Says what it is going to do, does it, and prints what it found."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console

from acuse.client import Client, Refused
from acuse.domain.errors import Misconfigured, Unavailable
from acuse.entrypoints.options import INTERRUPTED, MISCONFIGURED, REFUSED, UNAVAILABLE
from bench.stack import options as chosen
from bench.stack.crew import crew
from bench.stack.figures import Figures, figures
from bench.stack.picture import draw
from bench.stack.report import Report, table

if TYPE_CHECKING:
    import argparse
    from typing import NoReturn

    from bench.stack.access import Access
    from bench.stack.plan import Plan

DENIED = frozenset({401, 403})
LARGE_OFFSET = 60.0
"""Seconds; AWS refuses a signature that is five minutes off."""


def main() -> None:
    """Exit codes: 0 done and nothing lost, 1 refused or something lost, 2 wrong arguments, 3 unavailable, 130."""
    try:
        _main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _main() -> None:
    options = chosen.parser().parse_args()
    logging.getLogger("stamina").setLevel(logging.ERROR)
    access = chosen.access(options)
    try:
        plan, offset = _begin(options, access)
    except (ValueError, Misconfigured) as error:
        _leave(MISCONFIGURED, str(error))
    except Refused as error:
        hint = "; is the clock of this machine right?" if access.sigv4 and error.problem.status in DENIED else ""
        _leave(REFUSED, f"the first request was refused: {error}{hint}")
    except Unavailable as error:
        _leave(UNAVAILABLE, f"the first request could not be stored: {error}")
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        steps, is_whole = _run(plan, access)
    except EOFError:
        _leave(UNAVAILABLE, "a process that sends has died")
    report = Report(plan=plan, started_at=started_at, clock_offset=offset, steps=tuple(steps))
    _tell(report, options)
    if not is_whole:
        sys.exit(INTERRUPTED)
    if not report.is_kept:
        sys.exit(REFUSED)


def _begin(options: argparse.Namespace, access: Access) -> tuple[Plan, float]:
    """The plan is announced and the first request is stored: there is access, and the action is known."""
    signer = access.signer()
    patience = timedelta(seconds=min(options.timeout, 10.0))
    with Client(
        options.url, key=access.key, signer=signer, insecure=options.insecure, timeout=patience, patience=patience
    ) as client:
        plan = chosen.plan(options, client.url)
        print(plan.announcement, flush=True)
        if max(plan.rates) > options.max_rate and not options.yes:
            raise ValueError(f"{max(plan.rates):g} requests/s is more than --max-rate {options.max_rate:g}: say --yes")
        before = time.time()
        record = client.submit(plan.members, minimal=True).record
        middle = (before + time.time()) / 2
    offset = datetime.fromisoformat(record["created_at"]).timestamp() - middle
    if abs(offset) > LARGE_OFFSET:
        print(f"The clock here and that of the service differ by {abs(offset):,.0f} s.")
    return plan, offset


def _run(plan: Plan, access: Access) -> tuple[list[Figures], bool]:
    """The figures of the steps, as far as they were run; False: interrupted before the end."""
    found: list[Figures] = []
    console = Console(stderr=True)
    with crew(plan, access) as members:
        for step in [*([plan.first] if plan.first else []), *plan.steps]:
            is_warm_up = not step.sample and step == plan.first
            with console.status(f"{'warm-up: ' if is_warm_up else ''}{step.rate:g} requests/s for {step.seconds:g} s"):
                run = members.run(step)
            if not is_warm_up:
                found.append(figures(step, run.shares, plan.timeout))
            if run.was_interrupted:
                return found, False
    return found, True


def _tell(report: Report, options: argparse.Namespace) -> None:
    console = Console(width=None if sys.stdout.isatty() else 60 + 40 * len(report.steps))
    console.print(table(report))
    for step in report.steps:
        for remark in step.remarks:
            print(remark)
    sys.stdout.flush()
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if options.png:
        draw(report, options.png)


def _leave(code: int, message: str) -> NoReturn:
    print(f"bench.stack: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
