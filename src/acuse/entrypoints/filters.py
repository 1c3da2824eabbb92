"""The options that say which requests are meant, and the pages of those that are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from acuse.domain.errors import Misconfigured
from acuse.domain.listing import Filter
from acuse.domain.record import Status
from acuse.entrypoints.completion import actions_known
from acuse.entrypoints.moments import moment_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from acuse.domain.listing import Page

STATUS = typer.Option(help="Only those with this status.")
OfStatus = Annotated[Status | None, STATUS]
OfAction = Annotated[
    str | None,
    typer.Option("--action", metavar="ACTION", help="Only those of this action.", autocompletion=actions_known),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Only those created then or later: how long ago, as in 6h, or when (RFC 3339)."),
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Only those created before: how long ago, or when.")]


def filter_of(
    now: datetime, *, status: Status | None, action: str | None, since: str | None, until: str | None
) -> Filter:
    """Which requests are meant. Raises Misconfigured where a time is none, or none could be meant."""
    if action is not None and any("\ud800" <= one <= "\udfff" for one in action):
        raise Misconfigured(f"{action!r} is no action: it is not in UTF-8")
    first = None if since is None else moment_of(now, since)
    end = None if until is None else moment_of(now, until)
    if first is not None and end is not None and first >= end:
        raise Misconfigured("nothing can be created since then and before: --since must be earlier than --until")
    return Filter(status=status, action=action, since=first, until=end)


def pages(
    find: Callable[[Filter, int, str | None], Page],
    wanted: Filter,
    size: int,
    stopped: threading.Event,
    *,
    limit: int | None = None,
    after: str | None = None,
) -> Iterator[Page]:
    """Each page until the limit is reached or it is to stop, or the last one. It may be empty."""
    left = limit
    while not stopped.is_set():
        page = find(wanted, size if left is None else min(size, left), after)
        yield page
        after = page.next
        if left is not None:
            left -= len(page.records)
        if after is None or left == 0:
            return
