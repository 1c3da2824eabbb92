"""One request: what was sent, what came to pass, and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from markupsafe import Markup

from acuse.application.duration import in_words
from acuse.domain.record import PAGE, Key, Status
from acuse.entrypoints.ops import words
from acuse.entrypoints.ops.charts import Stretch, Tick, stretched
from acuse.entrypoints.ops.words import Shown
from acuse.entrypoints.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acuse.domain.record import Part, Record

AGAIN = {
    Status.ACCEPTED: "It was accepted again, and queued.",
    Status.FINISHED: "It was accepted again, and has finished.",
    Status.FAILED: "It was accepted again, and has failed again.",
}
NOT_FAILED = "Nothing was done: it was no longer failed, or its parts are being purged."

LOOKS = (Status.FINISHED, Status.FAILED, Status.ACCEPTED)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that came to pass, or has not yet."""

    name: str
    look: str
    at: datetime | None = None
    note: str = ""


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """One part."""

    number: int
    status: str
    took: str
    attempts: int
    value: str
    error: str


class PartsView(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the parts."""

    told: str
    svg: Markup
    rows: Sequence[PartRow]
    number: int
    pages: int
    first: int
    last: int


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """The page of one request."""

    id: str
    action: str
    status: str
    headline: str
    events: Sequence[Event]
    body: Shown
    result: Shown | None
    reason: str | None
    detail: Shown | None
    attempts: int
    traceparent: str | None
    parts: PartsView | None
    said: str | None
    is_failed: bool
    is_live: bool


def page_of_parts(record: Record, number: int) -> list[Key]:
    """The keys of the parts on that page, of which the first is 1."""
    parts = 0 if record.progress is None else record.progress.parts
    return [Key(record.id, part) for part in range(PAGE * (number - 1) + 1, min(PAGE * number, parts) + 1)]


def pages_of_parts(record: Record) -> int:
    """How many pages its parts take."""
    return 0 if record.progress is None else -(-record.progress.parts // PAGE)


def record_view(
    record: Record, parts: Mapping[Key, Part], number: int, now: datetime, said: str | None = None
) -> RecordView:
    """The view of the request, with that page of its parts. `said`: what came of running it again."""
    error = record.error
    return RecordView(
        id=record.id,
        action=visible(record.action),
        status=record.status,
        headline=_headline(record, now),
        events=_events(record, min((part.created_at for part in parts.values()), default=None), now),
        body=words.json(record.body),
        result=None if record.result is None else words.json(record.result),
        reason=None if error is None else error.reason,
        detail=None if error is None else words.text(error.detail),
        attempts=record.attempts,
        traceparent=record.traceparent,
        parts=_parts(record, parts, number, now) if pages_of_parts(record) else None,
        said={"again": AGAIN[record.status], "not-failed": NOT_FAILED}.get(said or ""),
        is_failed=record.status is Status.FAILED,
        is_live=record.status is Status.ACCEPTED,
    )


def _headline(record: Record, now: datetime) -> str:
    if record.finished_at is not None:
        verb = "Finished" if record.status is Status.FINISHED else "Failed"
        return f"{verb} after {in_words(record.finished_at - record.created_at)}"
    since = in_words(now - record.created_at)
    if record.progress is not None and record.progress.left:
        done = record.progress.parts - record.progress.left
        return f"{done:,} of {record.progress.parts:,} parts have ended, {since} after it was created"
    return f"Accepted, for {since}"


def _events(record: Record, split_at: datetime | None, now: datetime) -> list[Event]:
    events = [Event(name="Created", look="accepted", at=record.created_at)]
    progress = record.progress
    if progress is not None:
        done = progress.parts - progress.left
        failed = f", {progress.failed:,} of them failed" if progress.failed else ""
        look = "failed" if progress.failed else "accepted" if progress.left else "finished"
        events.append(
            Event(
                name=f"Split into {progress.parts:,} parts",
                look=look,
                at=split_at,
                note=f"{done:,} have ended{failed}",
            )
        )
    if record.finished_at is None:
        waits = "merge" if progress is not None and not progress.left else "parts" if progress is not None else "run"
        note = f"waits for its {waits}" if not record.attempts else f"attempt {record.attempts} of its {waits}"
        return [*events, Event(name="Not ended yet", look="open", note=f"{note}, {in_words(now - record.created_at)}")]
    name = "Finished" if record.status is Status.FINISHED else "Failed"
    note = f"{in_words(record.finished_at - record.created_at)} after it was created"
    return [*events, Event(name=name, look=record.status, at=record.finished_at, note=note)]


def _parts(record: Record, found: Mapping[Key, Part], number: int, now: datetime) -> PartsView:
    keys = page_of_parts(record, number)
    parts = [found[key] for key in keys if key in found]
    start = record.created_at
    end = max([part.finished_at or now for part in parts], default=now)
    whole = max((end - start).total_seconds(), 0.001)

    def place(moment: datetime) -> float:
        return min(max((moment - start).total_seconds() / whole, 0.0), 1.0)

    stretches = [
        Stretch(
            start=place(part.created_at),
            end=place(part.finished_at or now),
            look=part.status,
            name=f"part {part.key.part}: {part.status}, {in_words((part.finished_at or now) - part.created_at)}",
        )
        for part in parts
    ]
    counts = [f"{sum(part.status is status for part in parts):,} {status}" for status in LOOKS]
    told = f"Parts {keys[0].part:,} to {keys[-1].part:,} over {in_words(end - start)}: {', '.join(counts)}."
    below = [Tick(0, "created"), Tick(0.5, f"{in_words((end - start) / 2)}"), Tick(1, in_words(end - start))]
    return PartsView(
        told=told,
        svg=Markup(stretched(told, stretches, below)),  # noqa: S704  (charts escape)
        rows=[_part_row(part) for part in parts],
        number=number,
        pages=pages_of_parts(record),
        first=keys[0].part,
        last=keys[-1].part,
    )


def _part_row(part: Part) -> PartRow:
    error = "" if part.error is None else f"{part.error.reason}: {part.error.detail}"
    return PartRow(
        number=part.key.part,
        status=part.status,
        took="" if part.finished_at is None else in_words(part.finished_at - part.created_at),
        attempts=part.attempts,
        value=words.remark(part.value[: 4 * words.MOST_REMARKED + 4].decode(errors="ignore")),
        error=words.remark(error, words.MOST_EXPLAINED),
    )
