"""What the load test makes of what it saw, without a socket."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from bench.stack.answers import UNANSWERED, Answers, Request
from bench.stack.crew import Share
from bench.stack.figures import Figures, figures
from bench.stack.follow import Fate
from bench.stack.plan import Plan, Step

from acuse.client import Item

CREATED_AT = "2026-01-01T00:00:00.000000Z"
STEP = Step(rate=10, seconds=1)
PLAN = Plan(
    url="https://a1.execute-api.eu-west-1.amazonaws.com/v1/requests", rates=(10.0, 1000.0), seconds=60, warm_up=5,
    bulk=1, connections=10, processes=2, timeout=30, sample=500, patience=60, members={"action": "delay", "seconds": 1},
)  # fmt: skip


def request(number: int) -> Request:
    return Request(f"id-{number}", b'{"id":"id-%d"}' % number)


def record(number: int) -> dict[str, Any]:
    return {"id": f"id-{number}", "created_at": CREATED_AT}


def answers(*posts: tuple[float, int], sample: int = 0) -> Answers:
    """Each with how long it took, and its status; due one after the other."""
    made = Answers(sample, Random(1))
    for number, (took, status) in enumerate(posts):
        made.requests[status] += 1
        made.add(due=number / STEP.rate, woke=0.0, sent=0.0, took=took, status=status, stored=int(status in {200, 201}))
    return made


def of(*posts: tuple[float, int], fates: tuple[Fate, ...] = (), cpu: float = 0.1) -> Figures:
    return figures(STEP, [Share(answers(*posts), list(fates), cpu)], timeout=30.0)


def fate(**members: Any) -> Fate:
    return Fate(id="id", created_at=CREATED_AT, was_read=True, **members)


def item(code: int, **members: Any) -> Item:
    return Item(index=0, id="id", status=code, document=json.dumps(members).encode())


def test_the_posts_of_a_step_are_due_at_equal_distances() -> None:
    step = Step(rate=200, seconds=3, bulk=50)

    assert [step.due(number) for number in range(step.posts)] == pytest.approx([0.25 * n for n in range(12)])


def test_what_the_test_sends_and_costs_is_told_before() -> None:
    assert PLAN.requests == 10 * 60 + 1000 * 60 + 10 * 5
    assert "60,650 requests" in PLAN.announcement
    assert PLAN.dollars == pytest.approx((60_650 * 19.5 + 5_000 * 2.5) / 1e6)


def test_an_answer_that_is_not_the_record_of_what_was_sent_stores_nothing() -> None:
    for body in (b"{}", b"<html>", b'{"id":"id-2","created_at":"x"}'):
        made = Answers(10, Random(1))

        assert made.take([request(1)], 201, body) == 0
        assert made.requests == Counter({UNANSWERED: 1})
        assert made.kept == []


def test_of_many_each_is_counted_with_its_own_status_and_those_without_an_answer_too() -> None:
    lines = [
        {"index": 0, "id": "id-0", "status": 201, "record": record(0)},
        {"index": 1, "id": "id-1", "status": 503, "problem": {"status": 503}},
        {"index": 2, "id": "id-2", "status": 200, "record": record(2)},
    ]
    made = Answers(10, Random(1))

    stored = made.take(
        [request(n) for n in range(4)], 207, b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    )

    assert stored == 2
    assert made.requests == Counter({201: 1, 503: 1, 200: 1, UNANSWERED: 1})
    assert [kept.request.id for kept in made.kept] == ["id-0", "id-2"]


def test_all_that_is_stored_has_the_same_chance_to_be_sampled() -> None:
    drawn: Counter[str] = Counter()
    for seed in range(2_000):
        made = Answers(5, Random(seed))
        for number in range(20):
            made.take([request(number)], 201, json.dumps(record(number)).encode())
        drawn.update(kept.request.id for kept in made.kept)

    assert drawn.total() == 2_000 * 5
    assert all(400 < count < 600 for count in drawn.values()), drawn
    assert len(drawn) == 20


def test_refusals_are_no_part_of_the_latency_and_what_was_given_up_is_with_the_whole_timeout() -> None:
    found = of((0.1, 201), (0.2, 200), (0.001, 429), (0.002, UNANSWERED))

    assert found.times
    assert (found.times.p50, found.times.most) == (0.2, 30.0)
    assert (found.created, found.replayed, found.refused, found.unanswered, found.sent) == (1, 1, {"429": 1}, 1, 4)


def test_the_rate_that_was_achieved_counts_until_the_last_answer() -> None:
    quick = of(*[(0.01, 201)] * 10)
    late = of(*[(0.01, 201)] * 9, (3.1, 201))

    assert quick.achieved == pytest.approx(10.0)
    assert late.achieved == pytest.approx(10 / 4.0)


def test_processes_are_added_up() -> None:
    shares = [
        Share(answers((0.1, 201), (0.1, 503)), [fate(is_lost=True)], 0.2),
        Share(answers((0.5, 201)), [fate()], 0.9),
    ]

    found = figures(STEP, shares, timeout=30.0)

    assert (found.sent, found.created, found.refused, found.cpu) == (3, 2, {"503": 1}, 0.9)
    assert (found.kept.sampled, found.kept.lost, found.kept.unended) == (2, 1, 1)
    assert sum(second.due for second in found.seconds) == 3


def test_the_processing_is_told_by_the_clock_of_the_service() -> None:
    one = fate(status="finished", finished_at="2026-01-01T00:00:02.500000Z")
    other = fate(status="failed", finished_at="2026-01-01T00:00:00.500000Z")

    found = of((0.1, 201), fates=(one, other)).kept

    assert (found.finished, found.failed, found.unended, found.caught_up) == (1, 1, 0, 2.5)
    assert found.times
    assert (found.times.p50, found.times.most) == (0.5, 2.5)


def test_nothing_has_caught_up_while_one_has_not_ended() -> None:
    one = fate(status="finished", finished_at="2026-01-01T00:00:02.500000Z")

    assert of((0.1, 201), fates=(one, fate())).kept.caught_up is None


@pytest.mark.parametrize(
    ("said", "lost", "changed", "ended"),
    [
        (item(201, created_at=CREATED_AT, finished_at=None, status="accepted"), True, False, False),
        (item(409), False, True, False),
        (item(200, created_at="2026-01-01T00:00:00.000001Z", finished_at=None, status="accepted"), False, True, False),
        (item(200, created_at=CREATED_AT, finished_at=None, status="accepted"), False, False, False),
        (item(200, created_at=CREATED_AT, finished_at=CREATED_AT, status="finished"), False, False, True),
    ],
    ids=["new again", "other content", "another time", "accepted", "finished"],
)
def test_what_is_read_again_tells_what_became_of_it(said: Item, *, lost: bool, changed: bool, ended: bool) -> None:
    one = Fate(id="id", created_at=CREATED_AT)
    one.learn(said)

    assert (one.was_read, one.is_lost, one.is_changed, one.status is not None) == (True, lost, changed, ended)
    assert one.is_open is not (lost or changed or ended)


def test_what_could_not_be_read_is_not_taken_for_lost() -> None:
    one = Fate(id="id", created_at=CREATED_AT)
    one.learn(item(503))

    assert (one.was_read, one.is_lost, one.is_open) == (False, False, True)
    assert of((0.1, 201), fates=(one,)).kept.unread == 1


def test_a_machine_that_is_the_bottleneck_is_told() -> None:
    [remark] = of((0.1, 201), cpu=0.95).remarks

    assert "this machine was the bottleneck" in remark
    assert of((0.1, 201), cpu=0.5).remarks == ()


def test_the_figures_can_be_read_back_by_a_program() -> None:
    found = of((0.1, 201), fates=(fate(is_changed=True),))

    assert msgspec.json.decode(msgspec.json.encode(found), type=Figures) == found
