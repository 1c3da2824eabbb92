from __future__ import annotations

from datetime import timedelta

from acuse.domain.backlog import Backlog, Load, backlog_of
from tests.requests import CREATED

LATER = CREATED + timedelta(hours=1)


def test_nothing_makes_nothing() -> None:
    assert backlog_of({}) == Backlog(total=Load(), actions={})


def test_the_total_is_the_sum_and_the_oldest_is_the_oldest_of_all() -> None:
    actions = {
        "a": Load(waiting=1, delayed=2, running=3, oldest=LATER),
        "b": Load(running=10),
        "c": Load(waiting=20, oldest=CREATED),
    }

    assert backlog_of(actions) == Backlog(
        total=Load(waiting=21, delayed=2, running=13, oldest=CREATED), actions=actions
    )
