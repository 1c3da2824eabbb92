from __future__ import annotations

from typing import Any

import pytest

from acuse.adapters.aws.message import Message
from acuse.adapters.aws.relay import called_for, still_due
from acuse.domain.errors import Misconfigured

REQUEST = {"id": "x", "action": "sums", "_part": 0, "status": "accepted", "_turn": 0}
PART = {"id": "x", "action": "sums", "_part": 7, "status": "accepted", "_plan": 2}
PLANNED = {**REQUEST, "_plan": 2, "_turn": 2, "_parts": 3, "_parts_ended": 1}
ALL_ENDED = {**PLANNED, "_parts_ended": 3}
RUN = Message(id="x", action="sums")
PROCESS = Message(id="x", action="sums", part=7, turn=2)
MERGE = Message(id="x", action="sums", turn=2)


def image(members: dict[str, Any]) -> dict[str, Any]:
    return {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in members.items()}


def change(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, Any]:
    images = {"OldImage": old, "NewImage": new}
    kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    return {"eventName": kind, "dynamodb": {name: image(one) for name, one in images.items() if one is not None}}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (None, REQUEST, RUN),
        (None, PART, PROCESS),
        ({**REQUEST, "status": "failed"}, REQUEST, RUN),
        ({**PART, "status": "failed", "_plan": 1}, PART, PROCESS),
        ({**PART, "_plan": 1}, PART, PROCESS),
        ({**PLANNED, "_parts_ended": 2}, ALL_ENDED, MERGE),
        ({**REQUEST, "_plan": 2, "_parts_ended": 3}, ALL_ENDED, MERGE),
        ({**ALL_ENDED, "status": "failed", "_plan": 1}, ALL_ENDED, MERGE),
        ({**REQUEST, "_plan": 2}, {**PLANNED, "_parts": 0, "_parts_ended": 0}, MERGE),
    ],
)
def test_a_change_that_makes_something_due_calls_for_a_message(
    old: dict[str, Any] | None, new: dict[str, Any], message: Message
) -> None:
    assert called_for([change(old, new)]) == [message]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (REQUEST, {**REQUEST, "_plan": 1, "_parts_ended": 0}),
        (REQUEST, PLANNED),
        (PLANNED, {**PLANNED, "_parts_ended": 2}),
        (ALL_ENDED, {**ALL_ENDED, "status": "finished"}),
        (REQUEST, {**REQUEST, "status": "failed"}),
        (PART, {**PART, "status": "finished"}),
        ({**PLANNED, "status": "failed"}, {**PLANNED, "status": "failed", "_plan": 3}),
        (REQUEST, None),
        (None, {"id": "concurrency of sums", "_part": -1, "version": 1}),
    ],
)
def test_any_other_change_calls_for_none(old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
    assert called_for([change(old, new)]) == []


@pytest.mark.parametrize("images", [{}, {"NewImage": image(REQUEST)}])
def test_a_stream_that_does_not_show_both_images_is_refused(images: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        called_for([{"eventName": "MODIFY", "dynamodb": images}])


@pytest.mark.parametrize(
    ("item", "message"), [(REQUEST, RUN), (ALL_ENDED, MERGE), ({**PLANNED, "_parts": 0, "_parts_ended": 0}, MERGE)]
)
def test_a_request_that_waits_for_no_part_is_still_due(item: dict[str, Any], message: Message) -> None:
    assert still_due([image(item)], {}) == [message]


def test_a_part_is_still_due_while_its_request_waits_for_it() -> None:
    waiting = image({**PLANNED, "_parts": 7})

    assert still_due([waiting, image(PART)], {"x": waiting}) == [PROCESS]


@pytest.mark.parametrize(
    "item",
    [
        PLANNED,
        {**REQUEST, "status": "finished"},
        {**ALL_ENDED, "status": "failed"},
        {"id": "concurrency of sums", "_part": -1, "version": 1},
    ],
)
def test_what_waits_for_its_parts_or_has_ended_is_not_due(item: dict[str, Any]) -> None:
    assert still_due([image(item)], {}) == []


@pytest.mark.parametrize(
    "request_of_it",
    [
        None,
        {**REQUEST, "_plan": 2},
        {**PLANNED, "_parts": 6},
        {**PLANNED, "_parts": 7, "_plan": 3, "_turn": 3},
        {**PLANNED, "_parts": 7, "status": "failed"},
    ],
)
def test_a_part_that_no_request_waits_for_is_not_due(request_of_it: dict[str, Any] | None) -> None:
    requests = {} if request_of_it is None else {"x": image(request_of_it)}

    assert still_due([image(PART)], requests) == []


def test_a_part_that_has_ended_is_not_due() -> None:
    assert still_due([image({**PART, "status": "finished"})], {"x": image({**PLANNED, "_parts": 7})}) == []
