"""The command that shows one record, or its parts."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from acuse.application.duration import in_words
from acuse.domain.record import Failure, part_keys, rfc3339
from acuse.entrypoints.options import REFUSED, Data, Store, known_id, leave, service_over
from acuse.entrypoints.terminal import say, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.domain.record import Part, Progress, Record
    from acuse.ports import Store as Records


class Form(StrEnum):
    """How it is printed."""

    JSON = "json"
    TEXT = "text"


class PartShown(msgspec.Struct, frozen=True, kw_only=True):
    """One part, as JSON tells it."""

    part: int
    status: str
    created_at: str
    finished_at: str | None
    attempts: int
    value: msgspec.Raw
    result: msgspec.Raw | None
    error: Failure | None


def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="The request's id.")],  # noqa: A002
    parts: Annotated[  # noqa: FBT002
        bool, typer.Option("--parts", help="Show the parts that it was split into instead, one a line.")
    ] = False,
    form: Annotated[Form, typer.Option("--format", help="JSON, or text for people.")] = Form.JSON,
    data: Data = None,
    store: Store = None,
) -> None:
    """Print one record, or its parts, as the store has them now."""
    known = known_id(id)
    records = service_over(data, store).store
    record = records.get([known]).get(known)
    if record is None:
        leave(REFUSED, f"no request has the id {known}")
    if parts:
        if record.progress is None:
            leave(REFUSED, f"{known} has not been split into parts")
        if form is Form.TEXT:
            print(_columns("part", "status", "attempts", "took", "error"))
        for part in _parts(records, known, record.progress):
            say(_line(part) if form is Form.TEXT else msgspec.json.encode(_shown(part)).decode())
    elif form is Form.TEXT:
        for line in _told(record):
            say(line)
    else:
        say(msgspec.json.format(record.to_json()).decode())
    if record.progress is not None:
        print(_so_far(record.progress), file=sys.stderr)


def _parts(records: Records, id_: str, progress: Progress) -> Iterator[Part]:
    """All that are there, a page at a time."""
    for keys in part_keys(id_, progress.parts):
        found = records.parts(keys)
        yield from (found[key] for key in keys if key in found)


def _shown(part: Part) -> PartShown:
    return PartShown(
        part=part.key.part,
        status=part.status,
        created_at=rfc3339(part.created_at),
        finished_at=None if part.finished_at is None else rfc3339(part.finished_at),
        attempts=part.attempts,
        value=msgspec.Raw(part.value),
        result=None if part.result is None else msgspec.Raw(part.result),
        error=part.error,
    )


def _line(part: Part) -> str:
    took = "" if part.finished_at is None else in_words(part.finished_at - part.created_at)
    error = "" if part.error is None else f"{part.error.reason}: {part.error.detail}"
    return _columns(part.key.part, part.status, part.attempts, took, seen(error))


def _columns(*cells: object) -> str:
    return "{:>6}  {:<8}  {:>8}  {:>12}  {}".format(*cells).rstrip()


def _told(record: Record) -> Iterator[str]:
    """The record for people: each of these with its name."""
    ended = record.finished_at
    yield _named("request", record.id)
    yield _named("action", record.action)
    yield _named("status", record.status)
    yield _named("created", rfc3339(record.created_at))
    if ended is not None:
        yield _named("finished", f"{rfc3339(ended)}, {in_words(ended - record.created_at)} later")
    yield _named("attempts", str(record.attempts))
    if record.traceparent is not None:
        yield _named("trace", record.traceparent)
    if record.error is not None:
        yield _named("reason", record.error.reason)
        yield _named("detail", record.error.detail)
    yield _named("received", msgspec.json.format(record.body).decode())
    if record.result is not None:
        yield _named("result", msgspec.json.format(record.result).decode())


def _named(name: str, text: str) -> str:
    """Further lines stand to the right of the names, so that none of them can be taken for another."""
    return f"{name:10} " + f"\n{'':11}".join(text.split("\n"))


def _so_far(progress: Progress) -> str:
    return f"{progress.parts - progress.left} of {progress.parts} parts have ended, {progress.failed} of them failed"
