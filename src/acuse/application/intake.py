"""Group commit: submissions that arrive together become durable together."""

from __future__ import annotations

import logging
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from acuse.domain.errors import AcuseError, Overloaded, StoreUnavailable
from acuse.domain.outcome import Addition, Conflict, Existing, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.domain.submission import Submission
    from acuse.ports import Clock, Store

log = logging.getLogger(__name__)

W = TypeVar("W")

IDLE_SECONDS = 1.0


class Intake(Generic[W]):
    """Stores submissions in one thread: while a batch is being committed, the next one gathers.

    `deliver` is called in that thread, once a batch, with each waiter and what came of its submission.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        deliver: Callable[[Sequence[tuple[W, Receipt | AcuseError]]], None],
        *,
        max_waiting: int,
        max_waiting_bytes: int,
        max_batch: int,
        committed: Callable[[], None],
    ) -> None:
        """Nothing runs before `start`. Bounds: submissions and bytes not yet stored, submissions a commit.

        `committed` is called after every write that the store took; when idle, an empty one is tried each second.
        """
        self._store = store
        self._clock = clock
        self._deliver = deliver
        self._max_waiting = max_waiting
        self._max_waiting_bytes = max_waiting_bytes
        self._max_batch = max_batch
        self._committed = committed
        self._gathering: SimpleQueue[tuple[Submission, W] | None] = SimpleQueue()
        # Two counters of each kind, each written by one thread only: no lock on the way in.
        self._offered = self._offered_bytes = 0
        self._answered = self._answered_bytes = 0
        self._thread = Thread(target=self._run, name="acuse-intake", daemon=True)

    def start(self) -> None:
        """Submissions are stored from now on."""
        self._thread.start()

    def close(self) -> None:
        """Everything offered before is stored and delivered."""
        self._gathering.put(None)
        self._thread.join()

    def offer(self, submission: Submission, waiter: W) -> None:
        """The waiter will hear what came of it; Overloaded if too much is waiting. For one thread only."""
        size = len(submission.body)
        if (
            self._offered - self._answered >= self._max_waiting
            or self._offered_bytes - self._answered_bytes + size > self._max_waiting_bytes
        ):
            raise Overloaded("too many requests are waiting to be stored")
        self._offered += 1
        self._offered_bytes += size
        self._gathering.put((submission, waiter))

    def _run(self) -> None:
        closing = False
        while not closing:
            batch: list[tuple[Submission, W]] = []
            with suppress(Empty):
                item = self._gathering.get(timeout=IDLE_SECONDS)
                while item is not None and len(batch) < self._max_batch - 1:
                    batch.append(item)
                    item = self._gathering.get_nowait()
                if item is not None:
                    batch.append(item)
                closing = item is None
            self._commit(batch)

    def _commit(self, batch: list[tuple[Submission, W]]) -> None:
        submissions = [submission for submission, _ in batch]
        receipts: list[Receipt | AcuseError]
        try:
            now = self._clock.now()
            additions = self._store.add([submission.accepted(now) for submission in submissions])
            receipts = [judge(submission, one) for submission, one in zip(submissions, additions, strict=True)]
        except AcuseError as error:
            log.warning("commit failed", extra={"submissions": len(batch), "error": str(error)})
            receipts = [error] * len(batch)
        except Exception:
            log.exception("commit failed", extra={"submissions": len(batch)})
            receipts = [StoreUnavailable("the store failed in an unforeseen way")] * len(batch)
        else:
            self._committed()
        self._answered += len(batch)
        self._answered_bytes += sum(len(submission.body) for submission in submissions)
        self._deliver([(waiter, receipt) for (_, waiter), receipt in zip(batch, receipts, strict=True)])


def judge(submission: Submission, addition: Addition) -> Receipt:
    """The same id with other content is a conflict."""
    if isinstance(addition, Existing) and addition.record.fingerprint != submission.fingerprint:
        return Conflict(addition.record)
    return addition
