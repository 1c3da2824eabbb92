"""Group commit: submissions that arrive together become durable together."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from acuse.application.observing import guarded, ignore
from acuse.domain.errors import AcuseError, Overloaded, StoreUnavailable, Unavailable
from acuse.domain.event import Committed, Observe
from acuse.domain.outcome import Added, Addition, Conflict, Existing, Together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.domain.record import Record
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


class Offer(NamedTuple, Generic[W]):
    """Submissions that are stored in one commit, and who waits for it. `together`: all of them or none."""

    submissions: Sequence[Submission]
    waiter: W
    together: bool


Reply = Together | AcuseError


class Intake(Generic[W]):
    """Stores submissions in one thread: while a batch is being committed, the next one gathers.

    `deliver` is called in that thread, once a batch, with each waiter and what came of each of its submissions.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        deliver: Callable[[Sequence[tuple[W, Sequence[Reply]]]], None],
        *,
        max_waiting: int,
        max_waiting_bytes: int,
        max_batch: int,
        committed: Callable[[], None] | None,
        observe: Observe = ignore,
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
        self._observe = guarded(observe)
        self._gathering: SimpleQueue[Offer[W] | None] = SimpleQueue()
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

    def offer(self, submissions: Sequence[Submission], waiter: W, *, together: bool = False) -> None:
        """The waiter will hear what came of them; Overloaded if too much is waiting. For one thread only.

        Where nothing waits they are never too much. `together`: all of them are stored or none; at most MAX_TOGETHER.
        """
        count, size = len(submissions), _size(submissions)
        waiting = self._offered - self._answered
        if waiting and (
            waiting + count > self._max_waiting
            or self._offered_bytes - self._answered_bytes + size > self._max_waiting_bytes
        ):
            raise Overloaded("too many requests are waiting to be stored")
        self._offered += count
        self._offered_bytes += size
        self._gathering.put(Offer(submissions, waiter, together))

    def _run(self) -> None:
        closing = False
        idle = FOREVER if self._committed is None else IDLE_SECONDS
        while not closing:
            batch: list[Offer[W]] = []
            closing, size = self._gather(batch, self._max_batch, idle)
            while not closing and FEW <= size < self._max_batch:
                sleep(GATHER_SECONDS)
                closing, more = self._gather(batch, self._max_batch - size, None)
                size += more
                if more <= (size - more) // CROWD:
                    break
            self._commit(batch)

    def _gather(self, batch: list[Offer[W]], room: int, wait: float | None) -> tuple[bool, int]:
        """What has arrived is in the batch: whether it was the end, and how many submissions there were.

        With a time to wait, it waits so long for a first one.
        """
        size = 0
        with suppress(Empty):
            offer = self._gathering.get(wait is not None, wait if wait != FOREVER else None)
            while offer is not None:
                batch.append(offer)
                size += len(offer.submissions)
                if size >= room:
                    return False, size
                offer = self._gathering.get_nowait()
            return True, size
        return False, size

    def _commit(self, batch: Sequence[Offer[W]]) -> None:
        alone = [offer for offer in batch if offer.together]
        shared = [offer for offer in batch if not offer.together] if alone else batch
        replies: list[tuple[W, Sequence[Reply]]] = []
        if shared or not alone:
            replies += self._replies(shared, self._store.add)
        for offer in alone:
            replies += self._replies([offer], self._store.add_together)
        self._answered += sum(len(offer.submissions) for offer in batch)
        self._answered_bytes += sum(_size(offer.submissions) for offer in batch)
        self._deliver(replies)

    def _replies(
        self, offers: Sequence[Offer[W]], add: Callable[[Sequence[Record]], Sequence[Addition | Together]]
    ) -> list[tuple[W, Sequence[Reply]]]:
        """What comes of one write."""
        submissions = [submission for offer in offers for submission in offer.submissions]
        try:
            now = self._clock.now()
            began = monotonic()
            added = add([submission.accepted(now) for submission in submissions])
            seconds = monotonic() - began
            judged = [judge(*pair) for pair in zip(submissions, added, strict=True)]
        except Unavailable as error:
            log.warning("commit failed", extra={"submissions": len(submissions), "error": str(error)})
            return [(offer.waiter, [error] * len(offer.submissions)) for offer in offers]
        except Exception:
            log.exception("commit failed", extra={"submissions": len(submissions)})
            unforeseen = StoreUnavailable("the store failed in an unforeseen way")
            return [(offer.waiter, [unforeseen] * len(offer.submissions)) for offer in offers]
        refused = [one for one in added if isinstance(one, StoreUnavailable)]
        if refused:
            log.warning("not stored", extra={"submissions": len(refused), "error": str(refused[0])})
        elif self._committed is not None:
            self._committed()
        if submissions:
            self._observe(Committed(len(submissions), seconds, actions_of(judged, Added), actions_of(judged, Existing)))
        replies = iter(judged)
        return [(offer.waiter, list(islice(replies, len(offer.submissions)))) for offer in offers]


def judge(submission: Submission, added: Addition | Together) -> Together | StoreUnavailable:
    """The same id with other content is a conflict."""
    if isinstance(added, Existing) and added.record.fingerprint != submission.fingerprint:
        return Conflict(added.record)
    return added


def actions_of(replies: Sequence[Reply], kind: type[Added | Existing]) -> Counter[str]:
    """How many of each action have a reply of that kind."""
    return Counter([one.record.action for one in replies if isinstance(one, kind)])


def _size(submissions: Sequence[Submission]) -> int:
    return sum(len(submission.body) for submission in submissions)
