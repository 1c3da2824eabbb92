"""What the commands have in common: options, settings, exit codes."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from acuse.bootstrap import DATABASE, Service
from acuse.config import Settings
from acuse.domain.errors import Misconfigured
from acuse.domain.submission import UUID
from acuse.entrypoints.terminal import give_up, seen

REFUSED, MISCONFIGURED, UNAVAILABLE, INTERRUPTED, UNREAD = 1, 2, 3, 130, 141
"""Exit codes: a request was refused or is not there; wrong settings or arguments; try again later; Ctrl-C; and what the
shell says of a program that wrote into a pipe that nobody reads any more."""

Data = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder that holds the database.")]
Store = Annotated[
    str | None, typer.Option(metavar="STORE", help="Where records are kept: sqlite, or dynamodb://TABLE.")
]
Queue = Annotated[str | None, typer.Option(metavar="QUEUE", help="Where work waits, with DynamoDB: sqs://NAME.")]
Actions = Annotated[
    list[str] | None, typer.Option(metavar="MODULE|FILE", help="Module or file with actions; repeat it for more.")
]


class Form(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"


def settings_with(**chosen: Any) -> Settings:
    """The environment's settings, with what was chosen on the command line."""
    return Settings.from_environment(os.environ, **chosen)


def existing(data: Path | None, store: str | None, **chosen: Any) -> Settings:
    """The settings of a service whose database is there; else Misconfigured."""
    settings = settings_with(data=data, store=store, **chosen)
    if not settings.table and not (settings.data / DATABASE).is_file():
        raise Misconfigured(
            f"there is no database in {settings.data}: say where it is by --data DIR or ACUSE_DATA,"
            " or where else the records are by --store dynamodb://TABLE or ACUSE_STORE"
        )
    return settings


def service_over(data: Path | None, store: str | None) -> Service:
    """The service whose records are there; else Misconfigured, as for a log that must not go into the file."""
    service = Service(existing(data, store), anew=False)
    service.inspect_log()
    return service


def known_id(text: str) -> str:
    """The id in lower case. Raises Misconfigured for what is no id of a request."""
    if not UUID.fullmatch(text):
        raise Misconfigured(f"{text!r} is no id: a UUID is wanted, such as 0192f0c1-0000-7000-8000-000000000001")
    return text.lower()


def leave(code: int, message: str) -> NoReturn:
    """The command has ended, and said why, if that can be written."""
    try:
        print(f"acuse: {seen(message)}", file=sys.stderr, flush=True)
    except OSError:
        give_up(sys.stderr)
    sys.exit(code)
