"""What the tallies and the backlog say of the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from acuse.application.overview import LATELY, PICTURE, Summary, Verdict, judged, silences, summed
from acuse.domain.backlog import Backlog, Load
from acuse.domain.record import Status
from acuse.domain.tally import BOUNDS, SPAN, Tally

NOW = datetime(2026, 1, 1, 12, 0, 7, tzinfo=UTC)
END = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When the last span that is over ended."""
ACCEPTED, FINISHED, FAILED = Status
IDLE = Backlog(total=Load(), actions={})


def tally(before: timedelta, status: Status, count: int = 1, action: str = "delay", bound: int = 0) -> Tally:
    return Tally(at=END - before, action=action, status=status, bound=bound, count=count)


def seen(*tallies: Tally, backlog: Backlog = IDLE) -> Summary:
    return summed(tallies, backlog, NOW)


def waiting(minutes: float | None, running: int = 0) -> Backlog:
    """20 wait, the oldest for so long."""
    oldest = None if minutes is None else NOW - timedelta(minutes=minutes)
    return Backlog(total=Load(waiting=20, running=running, oldest=oldest), actions=None)


def test_rates_are_those_of_the_last_six_spans_that_are_over_and_of_the_one_under_way() -> None:
    summary = seen(
        tally(SPAN, ACCEPTED, 30),
        tally(6 * SPAN, ACCEPTED, 30),
        tally(7 * SPAN, ACCEPTED, 1_000),
        tally(timedelta(0), ACCEPTED, 7),
        tally(SPAN, FINISHED, 12),
        tally(timedelta(0), FINISHED, 15, action="other", bound=3),
        tally(SPAN, FAILED, 5),
    )

    assert (summary.accepted_rate, summary.finished_rate) == (1.0, 27 / 67)


def test_counts_and_latency_are_those_of_the_last_five_minutes_until_now() -> None:
    summary = seen(
        tally(LATELY - SPAN, ACCEPTED, 3),
        tally(LATELY - SPAN, FINISHED, 2, bound=BOUNDS.index(5)),
        tally(LATELY, FINISHED, 9, bound=BOUNDS.index(1_000)),
        tally(timedelta(0), FAILED, 1, action="other"),
    )

    assert (summary.lately.accepted, summary.lately.finished, summary.lately.failed) == (3, 2, 1)
    assert summary.latency is not None
    assert summary.latency.most.at_most == 5


def test_what_was_counted_before_the_clock_was_set_back_is_not_what_came_lately() -> None:
    ahead = -timedelta(hours=1)
    summary = seen(
        tally(-SPAN, ACCEPTED, 30), tally(ahead, FAILED, 8), tally(ahead, FINISHED, 9), tally(SPAN, FINISHED, 6)
    )

    assert (summary.accepted_rate, summary.finished_rate) == (0, 6 / 67)
    assert (summary.lately.accepted, summary.lately.finished, summary.lately.failed) == (0, 6, 0)
    assert judged(summary, {}) == Verdict(reasons=[])


def test_the_picture_has_a_point_for_each_span_that_is_over() -> None:
    summary = seen(
        tally(PICTURE, ACCEPTED, 1),
        tally(PICTURE + SPAN, ACCEPTED, 100),
        tally(SPAN, ACCEPTED, 2),
        tally(SPAN, FINISHED, 3, bound=1),
        tally(SPAN, FAILED, 4),
        tally(timedelta(0), FAILED, 100),
    )
    points = summary.points

    assert [point.at for point in points] == [END - PICTURE + SPAN * place for place in range(90)]
    assert (points[0].accepted, points[0].latency) == (1, None)
    assert (points[-1].accepted, points[-1].finished, points[-1].failed) == (2, 3, 4)
    assert points[-1].latency is not None
    assert sum(point.accepted + point.finished + point.failed for point in points) == 10


def test_each_action_that_is_known_or_has_come_up_is_told_of_by_name() -> None:
    load = Load(waiting=2, running=1)
    summary = summed(
        [tally(SPAN, FAILED, 7, action="gone"), tally(LATELY, FAILED, 7, action="long-gone")],
        Backlog(total=load, actions={"busy": load}),
        NOW,
        ["known", "busy"],
    )

    assert [(share.action, share.load, share.failed) for share in summary.actions] == [
        ("busy", load, 0),
        ("gone", Load(), 7),
        ("known", Load(), 0),
    ]
    assert summary.tells_actions_apart
    assert (summary.load, summary.lately.load) == (load, load)


def test_where_the_queue_cannot_tell_actions_apart_theirs_is_not_known() -> None:
    summary = summed([], waiting(1), NOW, ["delay"])

    assert [share.load for share in summary.actions] == [None]
    assert not summary.tells_actions_apart
    assert summary.load.waiting == 20


def test_how_long_the_oldest_waits_is_never_below_zero() -> None:
    assert seen(backlog=waiting(2)).oldest == timedelta(minutes=2)
    assert seen(backlog=waiting(-2)).oldest == timedelta(0)
    assert seen(backlog=waiting(None)).oldest is None


def test_all_is_well_where_nothing_speaks_against_it() -> None:
    for summary in (
        seen(),
        seen(tally(SPAN, FINISHED), tally(LATELY, FAILED)),
        seen(tally(SPAN, FINISHED), backlog=waiting(4.9)),
        seen(backlog=waiting(4.9, running=1)),
        seen(backlog=waiting(0.1)),
    ):
        assert judged(summary, {}) == Verdict(reasons=[])
        assert judged(summary, {}).is_well


def test_who_is_silent_is_a_reason() -> None:
    verdict = judged(seen(), {"intake": 12.0, "worker-1": float("inf")})

    assert not verdict.is_well
    assert (
        verdict.reasons
        == silences({"intake": 12.0, "worker-1": float("inf")})
        == [
            "Not ready: intake has been silent for 12 s.",
            "Not ready: worker-1 has not shown itself yet.",
        ]
    )


def test_what_failed_lately_is_a_reason() -> None:
    summary = seen(tally(SPAN, FAILED, 2), tally(SPAN, FINISHED, 1_998))

    assert judged(summary, {}).reasons == ["2 of 2,000 requests that ended in the last 5 min failed."]
    assert judged(seen(tally(SPAN, FAILED)), {}).reasons == ["1 of 1 request that ended in the last 5 min failed."]


def test_that_the_oldest_waits_for_long_is_a_reason_though_others_finish() -> None:
    for summary in (
        seen(tally(SPAN, FINISHED), backlog=waiting(6.5)),
        seen(backlog=waiting(6.5, running=3)),
    ):
        assert judged(summary, {}).reasons == ["The oldest that waits has waited for 6 min 30 s."]


def test_that_nothing_runs_or_finishes_is_a_reason_where_something_has_waited_a_while() -> None:
    told = ["20 waiting, but nothing runs and nothing finished in the last minute."]

    assert judged(seen(tally(7 * SPAN, FINISHED), backlog=waiting(0.5)), {}).reasons == told
    assert judged(seen(backlog=waiting(9)), {}).reasons == told


@pytest.mark.parametrize(("accepted", "reasons"), [(0, 1), (1, 0)])
def test_where_the_age_is_not_known_what_waits_is_old_if_nothing_new_came(accepted: int, reasons: int) -> None:
    summary = seen(tally(SPAN, ACCEPTED, accepted), backlog=waiting(None))

    assert len(judged(summary, {}).reasons) == reasons


def test_what_is_unknown_of_age_and_runs_is_no_reason() -> None:
    assert judged(seen(tally(SPAN, FINISHED), backlog=waiting(None)), {}).is_well
