"""Where bodies become submissions, and submissions records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from acuse.application.intake import Intake, Reply, actions_of, judge
from acuse.application.observing import guarded, ignore
from acuse.domain.errors import Invalid
from acuse.domain.event import Observe, Replayed
from acuse.domain.outcome import Existing
from acuse.domain.submission import Submission, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from acuse.application.actions import Catalogue
    from acuse.config import Settings
    from acuse.ports import Clock, Store

Waiter = asyncio.Future[Sequence[Reply]]


class Doubtful(NamedTuple):
    """A submission that its action does not take, unless it was taken before the action changed or went."""

    submission: Submission
    invalid: Invalid


class Desk:
    """Made in the event loop that it answers to."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        catalogue: Catalogue,
        settings: Settings,
        committed: Callable[[], None] | None,
        observe: Observe = ignore,
    ) -> None:
        """`committed`: see Intake."""
        self._observe = guarded(observe)
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._catalogue = catalogue
        self._intake: Intake[Waiter] = Intake(
            store,
            clock,
            self._deliver,
            max_waiting=settings.max_waiting,
            max_waiting_bytes=settings.max_waiting_bytes,
            max_batch=settings.max_batch,
            committed=committed,
            observe=self._observe,
        )

    def start(self) -> None:
        """Submissions are stored from now on."""
        self._intake.start()

    def close(self) -> None:
        """Everything that was offered is stored."""
        self._intake.close()

    def judge(self, body: bytes, trace: str | None) -> Submission | Doubtful:
        """What the body is; raises SubmissionError for what could never be taken."""
        submission = parse(body, traceparent=trace)
        try:
            self._catalogue.check(submission)
        except Invalid as invalid:
            return Doubtful(submission, invalid)
        return submission

    def offer(self, submissions: Sequence[Submission], *, together: bool = False) -> Waiter:
        """Resolved with a reply to each once they are stored. Raises Overloaded; `together` is as for Intake."""
        waiter: Waiter = self._loop.create_future()
        self._intake.offer(submissions, waiter, together=together)
        return waiter

    async def earlier(self, doubtful: Sequence[Doubtful]) -> list[Reply]:
        """For each what the store has of its id; without any, it is invalid. Raises StoreUnavailable."""
        stored = await asyncio.to_thread(self._store.get, [submission.id for submission, _ in doubtful])
        replies: list[Reply] = [
            judge(submission, Existing(stored[submission.id])) if submission.id in stored else invalid
            for submission, invalid in doubtful
        ]
        if replayed := actions_of(replies, Existing):
            self._observe(Replayed(replayed))
        return replies

    def _deliver(self, replies: Sequence[tuple[Waiter, Sequence[Reply]]]) -> None:
        """Called in the intake's thread, once for a whole commit."""
        self._loop.call_soon_threadsafe(_resolve, replies)


def _resolve(replies: Sequence[tuple[Waiter, Sequence[Reply]]]) -> None:
    for waiter, reply in replies:
        if not waiter.done():
            waiter.set_result(reply)
