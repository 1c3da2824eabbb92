"""What a deployment costs: `python -m infra.costs --help`."""

from __future__ import annotations

import argparse
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console

from infra.costs import prices, table
from infra.costs.assumptions import Assumptions, assumptions
from infra.costs.fields import described
from infra.costs.picture import draw
from infra.costs.profiles import Terms
from infra.costs.report import report
from infra.costs.workload import SECONDS, Unfit, Workload, workload

if TYPE_CHECKING:
    from collections.abc import Sequence

PICTURE = Path("build/costs.png")
RATE = "requests_per_second"
WIDTH = 160


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, or JSON, and write the picture. Exit code 2: it cannot be calculated."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    try:
        _run(options)
    except Unfit as unfit:
        parser.error(str(unfit))


def _run(options: dict[str, Any]) -> None:
    given = {name: options[name] for name in Workload.__struct_fields__ if options[name] is not None}
    if options["requests_per_month"] is not None:
        given[RATE] = options["requests_per_month"] / SECONDS
    region = prices.read(options["prices"]).region(options["region"])
    terms = Terms(assumptions(dict(map(_pair, options["assume"]))), region)
    made = report(options["region"], workload(given), terms)
    if options["json"]:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    else:
        console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
        table.show(made, console)
    if not options["no_png"]:
        draw(made, terms, options["png"])
        print(f"The picture is in {options['png']}.", file=sys.stderr)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Unfit(f"--assume {text}: give NAME=VALUE")
    return name.strip().replace("-", "_"), value.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.costs",
        usage="%(prog)s [options]",
        description="What the service costs a month in AWS, by profile, and where one becomes cheaper than the other.",
        epilog="Assumptions, for --assume: "
        + "; ".join(f"{name}={value} ({text})" for name, value, text in described(Assumptions())),
    )
    parser.add_argument("--region", default="eu-west-1", help="of which the file has prices (default: eu-west-1)")
    rates = parser.add_mutually_exclusive_group()
    rates.add_argument("--requests-per-month", type=float, metavar="N", help="instead of --requests-per-second")
    for name, value, text in described(Workload()):
        option, default = f"--{name.replace('_', '-')}", getattr(Workload(), name)
        group = rates if name == RATE else parser
        if isinstance(default, bool):
            group.add_argument(option, action="store_true", default=None, help=text)
        elif isinstance(default, StrEnum):
            group.add_argument(option, choices=[one.value for one in type(default)], help=f"{text} (default: {value})")
        else:
            group.add_argument(option, type=type(default), metavar="N", help=f"{text} (default: {value})")
    parser.add_argument(
        "--assume", action="append", default=[], metavar="NAME=VALUE", help="see below; as often as needed"
    )
    parser.add_argument("--prices", type=Path, default=prices.FILE, metavar="FILE", help="another file of prices")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--png", type=Path, default=PICTURE, metavar="FILE", help=f"the picture (default: {PICTURE})")
    parser.add_argument("--no-png", action="store_true", help="no picture")
    return parser


if __name__ == "__main__":
    main()
