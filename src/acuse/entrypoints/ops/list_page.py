"""Requests as a list: what was looked for, what was found, and where to go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from acuse.application.duration import in_words
from acuse.domain.listing import Filter, Order
from acuse.domain.record import Status
from acuse.entrypoints.ops import words
from acuse.entrypoints.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acuse.domain.listing import Page
    from acuse.domain.record import Record

ROWS = 50
PATH = "/requests"
NAMES = ("status", "action", "since", "until")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the address asks for. `texts`: as it was written; `problems`: what of it cannot be, in sentences."""

    filter: Filter
    after: str | None
    texts: Mapping[str, str]
    problems: Sequence[str]

    def address(self, after: str | None) -> str:
        """Of the page that begins there, with the same filter."""
        query = {name: text for name, text in self.texts.items() if text} | ({"after": after} if after else {})
        return f"{PATH}?{urlencode(query)}" if query else PATH

    def field(self, name: str) -> str:
        """The time as a field of a form takes it: in UTC, without a zone; nothing for what is no time."""
        moment: datetime | None = getattr(self.filter, name)
        if moment is None:
            return ""
        finest = "milliseconds" if moment.microsecond else "seconds" if moment.second else "minutes"
        return moment.replace(tzinfo=None).isoformat(timespec=finest)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    id: str
    action: str
    status: str
    created_at: datetime
    took: str
    attempts: int
    reason: str
    remark: str


class ListView(msgspec.Struct, frozen=True, kw_only=True):
    """The page. `first` and `next`: addresses, where there is such a page."""

    asked: Asked
    statuses: Sequence[str]
    actions: Sequence[str]
    rows: Sequence[Row] = ()
    order: Order | None = None
    first: str | None = None
    next: str | None = None

    @property
    def has_failed(self) -> bool:
        """Whether there is one that may be run again."""
        return any(row.reason for row in self.rows)

    @property
    def heading(self) -> str:
        """What is listed."""
        return "Failed requests" if self.asked.filter == Filter(status=Status.FAILED) else "Requests"


def asked_for(query: Mapping[str, str]) -> Asked:
    """What the query of the address means."""
    texts = {name: query.get(name, "").strip() for name in NAMES}
    problems: list[str] = []
    status = None
    if texts["status"]:
        try:
            status = Status(texts["status"])
        except ValueError:
            problems.append("There is no such status.")
    times = {name: _time(name, texts[name], problems) for name in ("since", "until")}
    since, until = times["since"], times["until"]
    if since is not None and until is not None and since >= until:
        problems.append("Nothing is created from then and before that.")
    return Asked(
        filter=Filter(status=status, action=texts["action"] or None, since=since, until=until),
        after=query.get("after") or None,
        texts=texts,
        problems=problems,
    )


def list_view(asked: Asked, actions: Iterable[str], page: Page | None = None) -> ListView:
    """The view of what was found; without a page, of what could not be looked for."""
    # Records outlive their action's code, and another process may know more actions than this one.
    names = sorted({*actions, *filter(None, [asked.filter.action])})
    statuses = [str(status) for status in Status]
    if page is None:
        return ListView(asked=asked, statuses=statuses, actions=names)
    return ListView(
        asked=asked,
        statuses=statuses,
        actions=names,
        rows=[_row(record) for record in page.records],
        order=page.order,
        first=asked.address(None) if asked.after else None,
        next=asked.address(page.next) if page.next else None,
    )


def _time(name: str, text: str, problems: list[str]) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        problems.append(f"`{name}` is no date and time, as in 2026-01-31T12:00.")
        return None


def _row(record: Record) -> Row:
    ended = record.finished_at
    remark = "" if record.error is None else words.remark(record.error.detail)
    if record.progress is not None and ended is None:
        done = record.progress.parts - record.progress.left
        remark = f"{done:,} of {record.progress.parts:,} parts ended"
    return Row(
        id=record.id,
        action=visible(record.action),
        status=record.status,
        created_at=record.created_at,
        took="" if ended is None else in_words(ended - record.created_at),
        attempts=record.attempts,
        reason="" if record.error is None else record.error.reason,
        remark=remark,
    )
