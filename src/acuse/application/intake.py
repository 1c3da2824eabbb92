"""Group commit: submissions that arrive together become durable together."""

from __future__ import annotations

import logging
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING, Generic, TypeVar

from acuse.domain.errors import AcuseError, Overloaded, StoreUnavailable, Unavailable
from acuse.domain.outcome import Addition, Conflict, Existing, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.domain.submission import Submission
    from acuse.ports import Clock, Store

log = logging.getLogger(__name__)

W = TypeVar("W")

IDLE_SECONDS = 1.0
FOREVER = float("inf")
FEW = 4
"""With fewer at once there is no crowd, and so nothing to wait for."""
GATHER_SECONDS = 0.0001
"""How long a batch waits for more, again and again while more keep coming: a larger one costs less for each."""
CROWD = 16
"""More than one in so many have come meanwhile: more are coming."""


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
        committed: Callable[[], None] | None,
    ) -> None:
        """Nothing runs before `start`. Bounds: submissions and bytes not yet stored, submissions a commit.

        `committed` is called after every write that the store took; when idle, an empty one is tried each second.
        None: nobody wants to know, so an idle store is left alone.
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
        idle = FOREVER if self._committed is None else IDLE_SECONDS
        while not closing:
            batch: list[tuple[Submission, W]] = []
            closing = self._gather(batch, idle)
            while not closing and FEW <= len(batch) < self._max_batch:
                before = len(batch)
                sleep(GATHER_SECONDS)
                closing = self._gather(batch, None)
                if len(batch) - before <= len(batch) // CROWD:
                    break
            self._commit(batch)

    def _gather(self, batch: list[tuple[Submission, W]], wait: float | None) -> bool:
        """What has arrived is in the batch; True at the end. With a time to wait, it waits so long for a first one."""
        with suppress(Empty):
            item = self._gathering.get(wait is not None, wait if wait != FOREVER else None)
            while item is not None:
                batch.append(item)
                if len(batch) >= self._max_batch:
                    return False
                item = self._gathering.get_nowait()
            return True
        return False

    def _commit(self, batch: list[tuple[Submission, W]]) -> None:
        replies: list[tuple[W, Receipt | AcuseError]]
        try:
            now = self._clock.now()
            additions = self._store.add([submission.accepted(now) for submission, _ in batch])
            replies = [
                (waiter, judge(submission, addition))
                for (submission, waiter), addition in zip(batch, additions, strict=True)
            ]
            refused = [addition for addition in additions if isinstance(addition, StoreUnavailable)]
            if refused:
                log.warning("not stored", extra={"submissions": len(refused), "error": str(refused[0])})
            elif self._committed is not None:
                self._committed()
        except Unavailable as error:
            log.warning("commit failed", extra={"submissions": len(batch), "error": str(error)})
            replies = [(waiter, error) for _, waiter in batch]
        except Exception:
            log.exception("commit failed", extra={"submissions": len(batch)})
            replies = [(waiter, StoreUnavailable("the store failed in an unforeseen way")) for _, waiter in batch]
        self._answered += len(batch)
        self._answered_bytes += sum(len(submission.body) for submission, _ in batch)
        self._deliver(replies)


def judge(submission: Submission, addition: Addition) -> Receipt | StoreUnavailable:
    """The same id with other content is a conflict."""
    if isinstance(addition, Existing) and addition.record.fingerprint != submission.fingerprint:
        return Conflict(addition.record)
    return addition
