"""Clients before the real intake, who keep what was acknowledged."""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from acuse.application.intake import Intake, Reply
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Existing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from acuse.domain.submission import Submission
    from acuse.ports import Clock, Store

PATIENCE_SECONDS = 60.0
GIVES_UP = 0.3
"""How often who hears that it did not work leaves it at that."""


class Group(NamedTuple):
    """Sent at once: one by itself, many, or all or none of many."""

    submissions: tuple[Submission, ...]
    together: bool = False


class Clients:
    """`acknowledged`: what was answered as stored. `doubtful`: what they gave up; it may be there or not."""

    def __init__(self, store: Store, clock: Clock, random: Random) -> None:
        self._answers: SimpleQueue[Sequence[tuple[Group, Sequence[Reply]]]] = SimpleQueue()
        self._random = random
        self.acknowledged: dict[str, Submission] = {}
        self.doubtful: list[Group] = []
        self.intake: Intake[Group] = Intake(
            store,
            clock,
            self._answers.put,
            max_waiting=10_000,
            max_waiting_bytes=1 << 26,
            max_batch=16,
            committed=None,
        )

    def send(self, groups: Iterable[Group]) -> None:
        """All of them are acknowledged or given up; what failed was sent again."""
        waiting = list(groups)
        while waiting:
            for group in waiting:
                self.intake.offer(group.submissions, group, together=group.together)
            answers: list[tuple[Group, Sequence[Reply]]] = []
            while len(answers) < len(waiting):
                answers += self._answers.get(timeout=PATIENCE_SECONDS)
            waiting = [group for group, replies in answers if self._is_to_send_again(group, replies)]

    def _is_to_send_again(self, group: Group, replies: Sequence[Reply]) -> bool:
        failed = False
        for submission, reply in zip(group.submissions, replies, strict=True):
            if isinstance(reply, Added | Existing):
                assert reply.record.body == submission.body
                self.acknowledged[submission.id] = submission
            else:
                assert isinstance(reply, StoreUnavailable)
                failed = True
        if failed and self._random.random() < GIVES_UP:
            self.doubtful.append(group)
            return False
        return failed
