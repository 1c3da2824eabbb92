from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product

import msgspec

from acuse.domain.delivery import Delivery, Ending
from acuse.domain.record import TRANSITIONS, Failure, Key, Reason, Status, part_keys, rfc3339
from tests.requests import CREATED, record


def test_an_accepted_record_is_what_was_sent_and_the_stamps() -> None:
    one = record(note="hello", seconds=2)

    assert json.loads(one.to_json()) == {
        **json.loads(one.body),
        "status": "accepted",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "finished_at": None,
        "attempts": 0,
        "result": None,
        "error": None,
    }


def test_an_ended_record_has_its_time_and_its_result_or_error() -> None:
    finished_at = CREATED + timedelta(seconds=1.5)
    done = msgspec.structs.replace(
        record(), status=Status.FINISHED, finished_at=finished_at, attempts=2, result=b'{"n":1}'
    )
    failed = msgspec.structs.replace(done, status=Status.FAILED, result=None, error=Failure(Reason.TIMED_OUT, "late"))

    shown = json.loads(done.to_json())
    assert (shown["finished_at"], shown["attempts"], shown["result"]) == ("2026-01-01T00:00:01.500000Z", 2, {"n": 1})
    assert json.loads(failed.to_json())["error"] == {"reason": "timed-out", "detail": "late"}


def test_a_finished_request_stays_so_and_a_failed_one_may_be_reopened() -> None:
    legal = {(one, other) for one, other in product(Status, Status) if one.may_become(other)}

    assert legal == {
        (Status.ACCEPTED, Status.FINISHED),
        (Status.ACCEPTED, Status.FAILED),
        (Status.FAILED, Status.ACCEPTED),
    }
    assert set(TRANSITIONS) == set(Status)


def test_times_are_written_so_that_text_sorts_as_time_does() -> None:
    assert rfc3339(datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)) == "2026-02-03T04:05:06.000000Z"
    assert rfc3339(datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)) == "2026-02-03T04:05:06.000007Z"


def test_an_ending_with_an_error_is_a_failure() -> None:
    delivery = Delivery(key=Key("x"), attempt=1, token=b"")

    assert Ending(delivery=delivery, at=CREATED, result=b"1").status is Status.FINISHED
    assert Ending(delivery=delivery, at=CREATED, error=Failure(Reason.RAISED, "")).status is Status.FAILED


def test_the_keys_of_the_parts_come_in_pages() -> None:
    pages = list(part_keys("x", 250))

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [key for page in pages for key in page] == [Key("x", part) for part in range(1, 251)]
    assert list(part_keys("x", 0)) == []


def test_one_that_was_begun_or_opened_again_shows_its_attempts() -> None:
    begun = msgspec.structs.replace(record(), attempts=3)

    assert json.loads(begun.to_json()) == json.loads(record(id=begun.id).to_json()) | {"attempts": 3}


def test_one_that_failed_before_any_attempt_shows_its_end() -> None:
    failed = msgspec.structs.replace(
        record(), status=Status.FAILED, finished_at=CREATED, error=Failure(Reason.PARTS_FAILED, "1 of 1 parts failed")
    )

    shown = json.loads(failed.to_json())

    assert (shown["status"], shown["attempts"], shown["finished_at"]) == ("failed", 0, "2026-01-01T00:00:00.000000Z")


def test_of_the_object_the_minimal_form_has_only_the_id() -> None:
    one = record(note="hello")
    done = msgspec.structs.replace(one, status=Status.FINISHED, finished_at=CREATED, attempts=1, result=b"7")

    for whole in (one, done):
        sent = json.loads(whole.body)
        stamps = {name: value for name, value in json.loads(whole.to_json()).items() if name not in sent}
        assert json.loads(whole.to_json(minimal=True)) == {"id": one.id, **stamps}


def test_a_page_of_keys_may_be_full_or_of_one() -> None:
    assert [len(page) for page in part_keys("x", 100)] == [100]
    assert [len(page) for page in part_keys("x", 101)] == [100, 1]
    assert list(part_keys("x", 1)) == [[Key("x", 1)]]
