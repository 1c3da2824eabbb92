"""The command that writes records to a file for other tools."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acuse.domain.errors import Misconfigured, Unavailable
from acuse.entrypoints.filters import OfAction, OfStatus, Since, Until, filter_of, pages
from acuse.entrypoints.options import Data, Store, service_over
from acuse.entrypoints.sheets import Csv, Lines
from acuse.entrypoints.steps import SoFar, counted, take_steps
from acuse.entrypoints.whole_file import Output, StandardOutput, WholeFile

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator

    from acuse.entrypoints.sheets import Sheet

PAGE = 1_000
"""Requests that are asked for at once."""


class Form(StrEnum):
    """What the records are written as."""

    PARQUET = "parquet"
    NDJSON = "ndjson"
    CSV = "csv"


def export(
    form: Annotated[Form, typer.Option("--format", help="What the file is.")],
    output: Annotated[str, typer.Option(metavar="FILE", help="Where it goes; -: to standard output.")] = "-",
    status: OfStatus = None,
    action: OfAction = None,
    since: Since = None,
    until: Until = None,
    data: Data = None,
    store: Store = None,
) -> None:
    """Write records to a file that other tools read, however many.

    The file is there once it is whole: what is broken off leaves none, and one that was there before stays until then.
    The service may run meanwhile. Each record comes once, as it was when it was read.
    """
    if form is Form.PARQUET and output == "-" and sys.stdout.isatty():
        raise Misconfigured("Parquet is nothing for a terminal: give a file by --output FILE")
    sheet_of = _sheet_of(form)
    service = service_over(data, store)
    wanted = filter_of(service.clock.now(), status=status, action=action, since=since, until=until)

    name = "standard output" if output == "-" else output

    def steps(stopped: threading.Event) -> Generator[SoFar]:
        began, requests = time.monotonic(), 0
        with StandardOutput() if output == "-" else WholeFile(Path(output)) as file:
            try:
                sheet = sheet_of(file)
                for page in pages(service.overview.find, wanted, PAGE, stopped):
                    sheet.add(page.records)
                    requests += len(page.records)
                    if page.next is None:
                        sheet.end()
                        file.keep()
                        yield SoFar(f"{counted(requests, 'request')} written", is_over=True)
                        return
                    rate = requests / (time.monotonic() - began)
                    yield SoFar(f"{counted(requests, 'request')} read, {rate:,.0f}/s", is_over=False)
            except OSError as error:
                if output == "-":
                    raise
                raise Unavailable(f"{output} could not be written: {error.strerror}") from error
        yield SoFar(f"broken off after {counted(requests, 'request')}: {name} is not whole", is_over=False)

    take_steps(steps, "nothing written", prints=output == "-")


def _sheet_of(form: Form) -> Callable[[Output], Sheet]:
    match form:
        case Form.CSV:
            return Csv
        case Form.NDJSON:
            return Lines
        case Form.PARQUET:
            try:
                from acuse.entrypoints.parquet import Parquet  # noqa: PLC0415  (only who wants it needs its package)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] != "pyarrow":
                    raise
                raise Misconfigured("Parquet needs more packages: pip install 'acuse[parquet]'") from error
            return Parquet
