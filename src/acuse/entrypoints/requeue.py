"""The command that sends the messages again of what was accepted and has not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from acuse.bootstrap import Service
from acuse.domain.errors import Misconfigured
from acuse.entrypoints.moments import moment_before
from acuse.entrypoints.options import Queue, Store, settings_with
from acuse.entrypoints.steps import SoFar, counted, take_steps

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator

    from acuse.domain.record import Key

STEP = 1_000
"""Items of the table at once."""

OlderThan = Annotated[
    str,
    typer.Option(metavar="AGE", help="How long ago they were created at least: a number and s, m, h or d, as in 6h."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count them and send nothing.")]


def requeue(older_than: OlderThan, dry_run: DryRun = False, store: Store = None, queue: Queue = None) -> None:  # noqa: FBT002
    """Send again what was accepted so long ago and has not ended. Its message may be lost.

    For DynamoDB with SQS. Of a split request it sends the parts that have not ended, or the merge if all have. What was
    not lost is then in the queue twice, and may run twice at once, though it ends once. So choose an age beyond
    the longest that a request waits and runs. To repeat it does no other harm.
    """
    settings = settings_with(store=store, queue=queue)
    if not settings.table:
        raise Misconfigured("with SQLite the row is the queue: no message can be lost, and none is sent")
    service = Service(settings)
    before = moment_before(service.clock.now(), older_than)

    def steps(stopped: threading.Event) -> Generator[SoFar]:
        requests = messages = 0
        after: Key | None = None
        while not stopped.is_set():
            step = service.aws.requeue(before, STEP, after, dry=dry_run)
            requests, messages, after = requests + step.requests, messages + step.messages, step.next
            yield SoFar(_told(requests, messages, dry=dry_run), is_over=after is None)
            if after is None:
                return

    take_steps(steps, _told(0, 0, dry=dry_run))


def _told(requests: int, messages: int, *, dry: bool) -> str:
    return f"looked at {counted(requests, 'request')}, {'would send' if dry else 'sent'} {counted(messages, 'message')}"
