"""What an action raises or returns, told in bounds and as JSON that every client can read."""

from __future__ import annotations

import logging
import weakref
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from acuse import Action
from acuse.application.actions import Catalogue
from acuse.application.perform import MAX_DETAIL, MAX_INNER, MAX_LOGGED, Limits, log, perform
from acuse.domain.outcome import Again, Done, Failed, Outcome
from acuse.domain.record import Failure, Reason
from acuse.domain.task import Step, Task
from tests.requests import submission

BEHAVIOURS: list[Any] = []


class Free(Action, tag="free"):
    """Does what the test says."""

    def run(self) -> Any:
        return BEHAVIOURS[-1]()


def behaving(behaviour: Any) -> Outcome:
    BEHAVIOURS.append(behaviour)
    sent = submission(action="free")
    task = Task(
        id=sent.id,
        part=0,
        attempt=1,
        step=Step.RUN,
        action=sent.action,
        body=sent.body,
        time_limit=timedelta(seconds=1),
    )
    return perform(task, Catalogue([Free]), lambda *_: iter(()), Limits(max_result=100))


def raising(error: BaseException) -> Outcome:
    def behaviour() -> None:
        raise error

    return behaving(behaviour)


@pytest.mark.parametrize("within", [RuntimeError(), SystemExit()])
def test_whatever_is_raised_in_place_of_a_message_is_no_outcome(within: BaseException) -> None:
    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise within

    assert raising(UnreadableError()) == Again(Failure(Reason.RAISED, "UnreadableError: (its message cannot be read)"))


def test_the_name_of_an_error_is_bounded_with_its_message() -> None:
    outcome = raising(type("X" * 10_000, (Exception,), {})("\ud800"))

    assert isinstance(outcome, Again)
    assert outcome.failure.detail == "X" * MAX_DETAIL


def test_of_a_group_of_errors_the_first_is_told() -> None:
    inner = ExceptionGroup("inner", [KeyError("a"), KeyError("b")])

    assert raising(ExceptionGroup("outer", [inner, ValueError("c")])) == Again(
        Failure(
            Reason.RAISED,
            "ExceptionGroup: outer (2 sub-exceptions); the first: ExceptionGroup: inner (2 sub-exceptions);"
            " the first: KeyError: 'a'",
        )
    )


def test_groups_in_groups_are_told_as_far_as_it_helps() -> None:
    error: Exception = ValueError("within")
    for _ in range(MAX_INNER + 1):
        error = ExceptionGroup("g", [error])

    outcome = raising(error)

    assert isinstance(outcome, Again)
    assert outcome.failure.detail.count("the first: ") == MAX_INNER
    assert "within" not in outcome.failure.detail


def test_an_error_is_logged_with_its_traceback_unless_its_message_would_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raising(ValueError("x" * MAX_LOGGED))
    raising(ValueError("x" * (MAX_LOGGED + 1)))

    assert [bool(one.exc_info) for one in caplog.records] == [True, False]


def test_a_run_that_wants_more_memory_than_there_is_gives_up_what_it_held() -> None:
    class Held:
        pass

    references: list[weakref.ref[Held]] = []
    still_held: list[bool] = []

    class Watching(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            still_held.append(references[0]() is not None)

    def behaviour() -> None:
        held = Held()
        references.append(weakref.ref(held))
        bytearray(1 << 60)

    watching = Watching()
    log.addHandler(watching)
    try:
        outcome = behaving(behaviour)
    finally:
        log.removeHandler(watching)

    assert outcome == Again(Failure(Reason.RAISED, "out of memory, see ACUSE_MAX_MEMORY: MemoryError: "))
    assert still_held == [False]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), "not JSON: Encoding objects of type object is unsupported"),
        ({1j: 2}, "not JSON: Only dicts"),
        ("\ud800", "not JSON: "),
        (b"x" * 101, "more than 100 bytes of JSON"),
        ({"a": "x" * 101}, "more than 100 bytes of JSON"),
        (["x" * 101], "105 bytes of JSON where 100 are allowed"),
        ("x" * 99, "101 bytes of JSON where 100 are allowed"),
        (msgspec.Raw(b'{"a":'), "not JSON: "),
        (msgspec.Raw(b'"\xff"'), "not JSON: "),
        ({1: 2, "1": 3}, "not JSON: a name occurs twice in one object"),
        (msgspec.Raw(b'[{"a":1,"a":1}]'), "not JSON: a name occurs twice in one object"),
        (msgspec.Raw(b"[" * 31 + b"]" * 31), "JSON nested deeper than 30 levels"),
        (
            msgspec.Raw(b'{"":' * 12 + b"[" * 19 + b"]" * 19 + b"}" * 12),
            "JSON nested deeper than 30 levels",
        ),
    ],
)
def test_a_result_that_cannot_be_kept_is_a_failure(value: object, says: str) -> None:
    outcome = behaving(lambda: value)

    assert isinstance(outcome, Failed)
    assert outcome.failure.reason is Reason.BAD_RESULT
    assert outcome.failure.detail.startswith(says)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (msgspec.Raw(b' {\n"a" : [1, 2 ]}\r\n'), b'{"a":[1,2]}'),
        (msgspec.Raw(b"[1.0, 1e3, 123456789012345678901234567890]"), b"[1.0,1e3,123456789012345678901234567890]"),
        (10**50, b"1" + b"0" * 50),
        (msgspec.Raw(b"[" * 30 + b"]" * 30), b"[" * 30 + b"]" * 30),
        ([*[[]] * 31, 1], b"[" + b"[]," * 31 + b"1]"),
        ([*[{}] * 31, 1], b"[" + b"{}," * 31 + b"1]"),
    ],
)
def test_a_result_is_kept_as_it_is_without_its_spaces(value: object, kept: bytes) -> None:
    assert behaving(lambda: value) == Done(kept)
