from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from acuse.adapters.aws.counts import Counts, come_to_pass, counts_of, tallies_of
from acuse.domain.record import Status
from acuse.domain.tally import bound_of
from tests.unit.test_relay import ALL_ENDED, PART, PLANNED, change

ACCEPTED = {"id": "x", "_part": 0, "action": "sums", "status": "accepted", "created_at": "2026-01-01T00:00:00.000000Z"}
FINISHED = {**ACCEPTED, "status": "finished", "finished_at": "2026-01-01T00:00:02.500000Z"}
FAILED = {**ACCEPTED, "status": "failed", "finished_at": "2026-01-02T00:00:00.000001Z"}
NOTHING = Counts(accepted=0, finished=0, failed=0, seconds=())


def counted(changes: list[dict[str, Any]]) -> Counts:
    return counts_of(come_to_pass(changes))


def test_what_is_new_is_accepted_and_what_ends_took_the_time_since() -> None:
    changes = [
        change(None, ACCEPTED), change(None, ACCEPTED), change(ACCEPTED, FINISHED), change(ACCEPTED, FAILED),
        change(ACCEPTED, FINISHED),
    ]  # fmt: skip

    assert counted(changes) == Counts(accepted=2, finished=2, failed=1, seconds=(2.5, 86_400.000001, 2.5))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, PART),
        (PART, {**PART, "status": "finished"}),
        (PART, {**PART, "status": "failed"}),
        (ACCEPTED, {**PLANNED, **ACCEPTED}),
        (PLANNED, ALL_ENDED),
        (FAILED, ACCEPTED),
        (FAILED, {**FAILED, "_plan": 3}),
        (FAILED, {**FAILED, "_purging": 1}),
        (FINISHED, None),
        (FAILED, None),
        (ACCEPTED, None),
        (None, {"id": "concurrency of sums", "_part": -1, "version": 1}),
        ({"id": "_keys", "_part": -1}, {"id": "_keys", "_part": -1, "key_a": "x"}),
    ],
)
def test_any_other_change_counts_for_nothing(old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
    assert counted([change(old, new)]) == NOTHING
    assert tallies_of(come_to_pass([change(old, new)])) == []


def test_what_is_opened_again_and_ends_again_ends_twice() -> None:
    again = {**FINISHED, "finished_at": "2026-01-03T00:00:00.000000Z"}

    counts = counted([change(ACCEPTED, FAILED), change(FAILED, ACCEPTED), change(ACCEPTED, again)])

    assert counts == Counts(accepted=0, finished=1, failed=1, seconds=(86_400.000001, 172_800.0))


def test_a_batch_that_comes_twice_counts_twice() -> None:
    batch = [change(None, ACCEPTED), change(ACCEPTED, FINISHED)]

    assert counted([*batch, *batch]) == Counts(accepted=2, finished=2, failed=0, seconds=(2.5, 2.5))


def test_tallies_tell_apart_spans_actions_statuses_and_durations() -> None:
    other = {**ACCEPTED, "action": "delay"}
    slow = {**FINISHED, "finished_at": "2026-01-01T00:00:09.999999Z"}
    changes = [
        change(None, ACCEPTED), change(None, other), change(None, ACCEPTED), change(ACCEPTED, FINISHED),
        change(ACCEPTED, FAILED), change(ACCEPTED, slow),
    ]  # fmt: skip
    began = datetime(2026, 1, 1, tzinfo=UTC)
    a_day = timedelta(days=1)

    tallies = tallies_of(come_to_pass(changes))

    assert {msgspec.structs.astuple(one) for one in tallies} == {
        (began, "sums", Status.ACCEPTED, 0, 2),
        (began, "delay", Status.ACCEPTED, 0, 1),
        (began, "sums", Status.FINISHED, bound_of(timedelta(seconds=2.5)), 1),
        (began, "sums", Status.FINISHED, bound_of(timedelta(seconds=9.9)), 1),
        (began + a_day, "sums", Status.FAILED, bound_of(a_day), 1),
    }
