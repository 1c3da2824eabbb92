"""The command that queues failed requests again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from acuse.domain.errors import Misconfigured
from acuse.domain.record import Status
from acuse.entrypoints.filters import OfAction, Since, Until, filter_of, pages
from acuse.entrypoints.options import REFUSED, Data, Store, known_id, service_over
from acuse.entrypoints.steps import SoFar, counted, take_steps

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Sequence

    from acuse.bootstrap import Service

STEP = 64
"""Requests at once: others can write to the file before the next ones."""


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of failed requests.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed requests, or those that fit.")] = False,  # noqa: FBT002
    action: OfAction = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them and queue nothing.")] = False,  # noqa: FBT002
    data: Data = None,
    store: Store = None,
) -> None:
    """Queue failed requests again. Of a split one, only the parts that failed.

    With --failed it does not ask, and goes on until there are no more: what fails again meanwhile is left alone.
    """
    if bool(ids) == failed:
        raise Misconfigured("either ids are wanted, or --failed for all that fit")
    if ids and (dry_run or not action is since is until is None):
        raise Misconfigured("--action, --since, --until and --dry-run go with --failed")
    known = [known_id(one) for one in ids or ()]
    service = service_over(data, store)
    if known:
        _retry(service, known)
        return
    wanted = filter_of(service.clock.now(), status=Status.FAILED, action=action, since=since, until=until)

    def steps(stopped: threading.Event) -> Generator[SoFar]:
        requests = 0
        for page in pages(service.overview.find, wanted, STEP, stopped):
            found = [record.id for record in page.records]
            requests += len(found) if dry_run else sum(service.store.reopen(found))
            yield SoFar(_told(requests, dry=dry_run), is_over=page.next is None)

    take_steps(steps, _told(0, dry=dry_run))


def _retry(service: Service, ids: Sequence[str]) -> None:
    is_all = True
    for first in range(0, len(ids), STEP):
        these = ids[first : first + STEP]
        for id_, reopened in zip(these, service.store.reopen(these), strict=True):
            print(f"{id_} {'accepted again' if reopened else 'is not a failed request'}")
            is_all = is_all and reopened
        sys.stdout.flush()
    if not is_all:
        raise typer.Exit(REFUSED)


def _told(requests: int, *, dry: bool) -> str:
    return f"{counted(requests, 'request')} {'would be' if dry else 'are'} accepted again"
