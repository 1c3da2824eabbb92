"""One place at which runs happen: receive, hand out, watch, settle."""

from __future__ import annotations

import logging
import math
from collections import deque
from contextlib import suppress
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from acuse.application.execute import Decision, Drop, Plan, Release, decide, forgone, policy_of, task_for
from acuse.application.failures import tell_again, tell_end
from acuse.application.observing import guarded, ignore
from acuse.application.pace import Pace
from acuse.application.perform import MAX_DETAIL
from acuse.application.tracing import UNTRACED, ended_if_cut_off, failure_of
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.errors import Unavailable
from acuse.domain.event import Ended, LeaseLost, Observe, Ran, Started, outcome_of
from acuse.domain.outcome import Again, Outcome
from acuse.domain.record import Failure, Key, Reason, Record, Status, part_keys
from acuse.domain.subject import subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from random import Random
    from threading import Event

    from acuse.application.actions import Catalogue
    from acuse.application.heartbeat import Heartbeat
    from acuse.application.tracing import Tracer
    from acuse.domain.task import Task
    from acuse.ports import Clock, Queue, Runner, Store

log = logging.getLogger(__name__)

POLL = timedelta(milliseconds=500)
"""How long one wait for work lasts, and so how late a stop is noticed when idle."""
TICK = 0.05
"""Seconds that endings wait to be settled together, and that a stop goes unnoticed while running."""
PATIENCE = 0.5
"""Seconds after which what a chunk has not begun is given back, so that another runner can take it."""
RECOVERY = 1.0
"""Seconds between tries while the store or the runner is unavailable."""
SETTLE_TRIES = 30

T = TypeVar("T")

Assignment = tuple[Delivery, "Task"]


class Slot:
    """Runs deliveries in its one runner until told to stop. `run` is the target of a thread."""

    def __init__(
        self,
        store: Store,
        queue: Queue,
        clock: Clock,
        runner: Runner,
        catalogue: Catalogue,
        heartbeat: Heartbeat,
        *,
        random: Random,
        draining: Event,
        killing: Event,
        polled: Callable[[], None],
        observe: Observe = ignore,
        tracer: Tracer = UNTRACED,
    ) -> None:
        """`draining`: take nothing new; `killing`: give back even what is under way; `polled`: the queue answered."""
        self._store = store
        self._queue = queue
        self._clock = clock
        self._runner = runner
        self._catalogue = catalogue
        self._heartbeat = heartbeat
        self._random = random
        self._draining = draining
        self._killing = killing
        self._polled = polled
        self._observe = guarded(observe)
        self._tracer = tracer
        self._records: Mapping[str, Record] = {}
        """Of what was taken last."""
        self._pace = Pace()
        self._deadline = math.inf

    def run(self) -> None:
        """Everything received was settled, planned or given back."""
        while not self._draining.is_set():
            try:
                self._runner.ready()
                if self._heartbeat.is_well and not self._draining.is_set():
                    self._receive()
                else:
                    self._draining.wait(TICK)
            except Unavailable as error:
                log.warning("cannot work", extra={"error": str(error)})
                self._draining.wait(RECOVERY)
            except Exception:
                log.exception("cannot work")
                self._draining.wait(RECOVERY)
        self._runner.end()

    def _receive(self) -> None:
        deliveries = self._queue.receive(self._pace.limit, POLL)
        self._polled()
        if deliveries:
            self.take(deliveries)

    def take(self, deliveries: Sequence[Delivery], deadline: float = math.inf) -> None:
        """All of it was settled, planned or given back. What runs at the deadline (monotonic seconds) is stopped."""
        self._deadline = deadline
        self._heartbeat.hold(deliveries)
        begun: set[Key] = set()
        try:
            self._run_chunk(self._cut(self._assign(deliveries)), begun)
        except BaseException as error:
            # What was begun and is not recorded is cut off: its lease runs out, and its attempt counts. So it is with
            # all of them after what nobody foresaw, for one of them may be the cause: from now on each comes alone.
            self._runner.kill()
            self._pace = Pace()
            if isinstance(error, Unavailable):
                rest = [one for one in deliveries if one.key not in begun]
                with suppress(Unavailable):
                    self._queue.release(rest, timedelta(seconds=RECOVERY), charged=False)
            raise
        finally:
            self._heartbeat.drop(deliveries)

    def _assign(self, deliveries: Sequence[Delivery]) -> list[Assignment]:
        """What has to be run; the rest is ended or dropped here."""
        keys = [one.key for one in deliveries]
        records = self._records = self._store.get(sorted({key.id for key in keys}))
        parts = self._store.parts([key for key in keys if key.part])
        assigned: list[Assignment] = []
        decided: list[Decision] = []
        for one in deliveries:
            task = task_for(one, records, parts, self._catalogue)
            if isinstance(task, Drop):
                decided.append(task)
                continue
            record = records[one.key.id]
            failed = forgone(one, task, record, policy_of(task.action, self._catalogue))
            if failed is None:
                assigned.append((one, task))
                continue
            failure = failed.failure
            if failure.reason is Reason.PARTS_FAILED:
                detail = failure.detail + self._first_failed(record.id, task.parts)
                failure = Failure(failure.reason, detail[:MAX_DETAIL])
            self._tracer.attempt(task).end(failure.reason, failure)
            decided.append(Ending(delivery=one, at=self._clock.now(), error=failure))
        self._apply(decided)
        return assigned

    def _first_failed(self, id_: str, parts: int) -> str:
        failures = (
            f"; part {key.part}: {part.error.reason}: {part.error.detail}"
            for keys in part_keys(id_, parts)
            for key, part in sorted(self._store.parts(keys).items())
            if part.error is not None
        )
        return next(failures, "")

    def _cut(self, assigned: list[Assignment]) -> deque[Assignment]:
        """The head of the list that is worth one trip; the rest is given back.

        If the worker is killed, an attempt of each is gone. So what may have taken its last worker down travels alone,
        and so does what has no other attempt.
        """
        chunk: deque[Assignment] = deque()
        seconds = 0.0
        while assigned and (not chunk or self._may_join(assigned[0], chunk[0], seconds)):
            chunk.append(assigned.pop(0))
            seconds += self._pace.expected(chunk[-1][1].action)
        self._give_back(assigned)
        return chunk

    def _may_join(self, one: Assignment, first: Assignment, seconds: float) -> bool:
        if self._travels_alone(*one) or self._travels_alone(*first):
            self._pace.alone()
            return False
        return self._pace.fits(one[1].action, seconds)

    def _travels_alone(self, delivery: Delivery, task: Task) -> bool:
        return delivery.was_cut_off or delivery.attempt >= policy_of(task.action, self._catalogue).attempts

    def _run_chunk(self, waiting: deque[Assignment], begun: set[Key]) -> None:
        decided: list[Decision] = []
        began = applied = monotonic()
        while self._may_begin(waiting, began):
            delivery, task = waiting.popleft()
            span = self._tracer.attempt(task)
            self._runner.begin(span.inside(task))
            begun.add(delivery.key)
            started = monotonic()
            self._observe(Started(task.action, task.step))
            with ended_if_cut_off(span):
                while (outcome := self._outcome(task, started)) is None and not self._killing.is_set():
                    self._apply(decided)
                    self._may_begin(waiting, began)
            seconds = monotonic() - started
            self._pace.observe(task.action, seconds)
            self._observe(Ran(task.action, task.step, outcome_of(outcome), seconds))
            span.end(outcome_of(outcome), failure_of(outcome))
            if outcome is None:
                self._runner.kill()
                self._give_back([(delivery, task)])
                break
            decided.append(self._decide(delivery, task, outcome))
            if monotonic() - applied >= TICK:
                self._apply(decided)
                applied = monotonic()
        self._pace.finish()
        self._apply(decided)

    def _outcome(self, task: Task, started: float) -> Outcome | None:
        """What came of the task under way; None if nothing has yet."""
        limit = min(task.time_limit.total_seconds(), self._deadline - started)
        left = started + limit - monotonic()
        outcome = self._runner.outcome(timedelta(seconds=max(0.0, min(TICK, left))))
        if outcome is None and left <= 0:
            self._runner.kill()
            outcome = Again(Failure(Reason.TIMED_OUT, f"stopped after its time limit of {limit:.9g} s"))
        return outcome

    def _may_begin(self, waiting: deque[Assignment], began: float) -> bool:
        """Whether anything waits; it is given back when the chunk takes long or the worker is to end."""
        if self._draining.is_set() or monotonic() - began >= PATIENCE:
            self._give_back(waiting)
            waiting.clear()
        return bool(waiting)

    def _decide(self, delivery: Delivery, task: Task, outcome: Outcome) -> Decision:
        policy = policy_of(task.action, self._catalogue)
        decision = decide(delivery, outcome, policy, self._clock.now(), self._random.random())
        if isinstance(decision, Release) and isinstance(outcome, Again):
            tell_again(self._records[task.id], delivery, outcome, decision.delay)
        return decision

    def _give_back(self, assigned: Iterable[Assignment]) -> None:
        deliveries = [delivery for delivery, _ in assigned]
        if deliveries:
            self._heartbeat.drop(deliveries)
            self._persist(partial(self._queue.release, deliveries, timedelta(0), charged=False))

    def _apply(self, decided: list[Decision]) -> None:
        """All of it is durable, and the list is empty."""
        endings = [one for one in decided if isinstance(one, Ending)]
        if endings:
            recorded = self._persist(partial(self._store.settle, endings))
            for ending, done in zip(endings, recorded, strict=True):
                self._tell(ending, is_recorded=done)
        for one in decided:
            if isinstance(one, Plan):
                if not self._persist(partial(self._store.plan, one.delivery, one.parts)):
                    self._observe(LeaseLost())
            elif isinstance(one, Release):
                self._persist(partial(self._queue.release, [one.delivery], one.delay, charged=True))
        done_with = [one.delivery for one in decided if not isinstance(one, Release)]
        if done_with:
            self._queue.ack(done_with)
        self._heartbeat.drop([one.delivery for one in decided])
        decided.clear()

    def _tell(self, ending: Ending, *, is_recorded: bool) -> None:
        key = ending.delivery.key
        record = self._records[key.id]
        if not is_recorded:
            log.warning("ended elsewhere", extra=subject(key.id, key.part, record.traceparent))
            self._observe(LeaseLost())
            return
        if ending.error is not None:
            tell_end(record, ending.delivery, ending.error)
        if not key.part:
            outcome = Status.FINISHED if ending.error is None else ending.error.reason
            seconds = (ending.at - record.created_at).total_seconds()
            self._observe(Ended(record.action, outcome.value, max(0.0, seconds)))

    def _persist(self, write: Callable[[], T]) -> T:
        """What the write returned; while the store is unavailable it is tried again, for the work is already done."""
        tries = 0
        while True:
            try:
                return write()
            except Unavailable as error:
                tries += 1
                # Two who stand in each other's way must not come back together.
                pause = min(RECOVERY * (1 + tries * self._random.random()), max(0.0, self._deadline - monotonic()))
                if tries == SETTLE_TRIES or monotonic() >= self._deadline or self._killing.wait(pause):
                    raise
                log.warning("not recorded yet", extra={"error": str(error)})
