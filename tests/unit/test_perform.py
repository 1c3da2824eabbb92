from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from acuse import Action, Fail, Retry, this_run
from acuse.application.actions import Catalogue
from acuse.application.perform import MAX_DETAIL, Limits, perform
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Reason
from acuse.domain.task import Step, Task
from tests.requests import submission

BEHAVIOURS: dict[str, Any] = {}


class Free(Action, tag="free"):
    """Does what the test says."""

    name: str = ""

    def run(self) -> Any:
        return BEHAVIOURS[self.name]()


class Sums(Action, tag="sums"):
    upto: int = 3

    def split(self) -> Iterator[list[int]]:
        return ([number, number * 10] for number in range(self.upto))

    def process(self, part: tuple[int, int]) -> int:
        assert isinstance(part, tuple)
        return sum(part)

    async def merge(self, results: Iterable[int]) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"sum": sum(results)}


CATALOGUE = Catalogue([Free, Sums])
LIMITS = Limits(max_result=100, max_parts=5, max_plan=60)


def no_results(_: str, __: int) -> Iterator[bytes]:
    return iter(())


def run(step: Step, value: bytes | None = None, *, results: list[bytes] | None = None, **members: Any) -> Outcome:
    sent = submission(**members)
    task = Task(
        id=sent.id,
        part=0,
        attempt=2,
        step=step,
        action=sent.action,
        body=sent.body,
        time_limit=timedelta(seconds=1),
        value=value,
        parts=len(results or []),
        traceparent="t",
    )
    return perform(task, CATALOGUE, lambda *_: iter(results or []), LIMITS)


def behaving(behaviour: Any) -> Outcome:
    BEHAVIOURS["it"] = behaviour
    return run(Step.RUN, action="free", name="it")


def raising(error: BaseException) -> Outcome:
    def behaviour() -> None:
        raise error

    return behaving(behaviour)


def test_what_is_returned_is_the_result() -> None:
    assert behaving(lambda: {"a": [1, 2.5, None]}) == Done(b'{"a":[1,2.5,null]}')
    assert behaving(lambda: None) == Done(b"null")


def test_an_async_run_is_run_to_its_end() -> None:
    async def behaviour() -> int:
        await asyncio.sleep(0)
        return 7

    assert behaving(behaviour) == Done(b"7")


def test_a_run_can_see_which_it_is() -> None:
    outcome = behaving(lambda: msgspec.to_builtins(this_run()))

    assert isinstance(outcome, Done)
    seen = msgspec.json.decode(outcome.result)
    assert (seen["part"], seen["attempt"], seen["traceparent"]) == (0, 2, "t")
    with pytest.raises(LookupError):
        this_run()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit("no"), KeyboardInterrupt("no"), GeneratorExit("no")])
def test_what_is_raised_may_be_tried_again(error: BaseException) -> None:
    assert raising(error) == Again(Failure(Reason.RAISED, f"{type(error).__name__}: no"))


def test_an_action_may_ask_to_be_run_again() -> None:
    assert raising(Retry("soon", after=timedelta(days=-1))) == Again(
        Failure(Reason.RETRIES_EXHAUSTED, "soon"), timedelta(0)
    )
    assert raising(Retry("never", after=timedelta.max)) == Again(
        Failure(Reason.RETRIES_EXHAUSTED, "never"), timedelta(days=366)
    )
    assert raising(Retry("busy")) == Again(Failure(Reason.RETRIES_EXHAUSTED, "busy"))
    again = raising(Retry(after=timedelta(seconds=9)))
    assert again == Again(Failure(Reason.RETRIES_EXHAUSTED, "the action asked to be run again"), timedelta(seconds=9))


def test_a_delay_that_is_no_timedelta_is_a_mistake_of_the_action() -> None:
    outcome = behaving(lambda: Retry(after=30))  # type: ignore[arg-type]

    assert outcome == Again(Failure(Reason.RAISED, "TypeError: after must be a timedelta, not int"))


def test_an_action_may_say_that_it_cannot_succeed() -> None:
    assert raising(Fail("no such file")) == Failed(Failure(Reason.REFUSED, "no such file"))


def test_a_message_that_cannot_be_kept_as_it_is_is_mended() -> None:
    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    long, lone, unreadable = raising(Fail("x" * 10_000)), raising(Fail("\ud800")), raising(UnreadableError())

    assert isinstance(long, Failed)
    assert len(long.failure.detail) == MAX_DETAIL
    assert lone == Failed(Failure(Reason.REFUSED, "?"))
    assert unreadable == Again(Failure(Reason.RAISED, "UnreadableError: (its message cannot be read)"))


@pytest.mark.parametrize(
    "value", [object(), {1j: 2}, "\ud800", b"x" * 101, "x" * 99, msgspec.Raw(b'{"a":'), msgspec.Raw(b'"\xff"')]
)
def test_a_result_that_cannot_be_kept_is_a_failure(value: object) -> None:
    outcome = behaving(lambda: value)

    assert isinstance(outcome, Failed)
    assert outcome.failure.reason is Reason.BAD_RESULT


def test_a_result_may_be_as_large_as_the_limit() -> None:
    assert behaving(lambda: "x" * 98) == Done(b'"' + b"x" * 98 + b'"')


def test_a_result_that_holds_itself_is_a_failure() -> None:
    endless: list[Any] = []
    endless.append(endless)

    outcome = behaving(lambda: endless)

    assert isinstance(outcome, Failed)
    assert outcome.failure.reason is Reason.BAD_RESULT


def test_an_unknown_action_may_be_known_elsewhere() -> None:
    outcome = run(Step.RUN, action="gone")

    assert outcome == Again(Failure(Reason.UNKNOWN_ACTION, "this worker knows no action gone"))


def test_fields_that_no_longer_fit_cannot_succeed() -> None:
    outcome = run(Step.RUN, action="free", name=1)

    assert outcome == Failed(
        Failure(Reason.REFUSED, "the fields do not fit the action: #/name: Expected `str`, got `int`")
    )


def test_a_split_says_its_parts() -> None:
    assert run(Step.SPLIT, action="sums") == Planned((b"[0,0]", b"[1,10]", b"[2,20]"))
    assert run(Step.SPLIT, action="sums", upto=0) == Planned(())


def test_a_part_comes_back_as_the_type_that_process_names() -> None:
    assert run(Step.PROCESS, b"[2,20]", action="sums") == Done(b"22")


def test_a_merge_gets_the_results_in_order() -> None:
    assert run(Step.MERGE, results=[b"1", b"2", b"3"], action="sums") == Done(b'{"sum":6}')


@pytest.mark.parametrize("upto", [6, 1_000_000_000_000])
def test_too_many_parts_are_a_failure_and_no_more_are_made(upto: int) -> None:
    assert run(Step.SPLIT, action="sums", upto=upto) == Failed(
        Failure(Reason.BAD_RESULT, "the split yields more than 5 parts")
    )


def test_parts_that_are_too_large_together_are_a_failure() -> None:
    class Large(Action, tag="large"):
        def split(self) -> list[str]:
            return ["x" * 30, "x" * 30]

        def process(self, part: str) -> str:
            return part

        def merge(self, results: Iterable[str]) -> int:
            return len(list(results))

    sent = submission(action="large")
    task = Task(
        id=sent.id, part=0, attempt=1, step=Step.SPLIT, action="large", body=sent.body, time_limit=timedelta(seconds=1)
    )

    outcome = perform(task, Catalogue([Large]), no_results, LIMITS)

    assert outcome == Failed(
        Failure(Reason.BAD_RESULT, "the values of the parts are more than 60 bytes of JSON in all")
    )


def test_a_part_that_is_no_longer_of_the_type_may_be_tried_again() -> None:
    outcome = run(Step.PROCESS, b'"x"', action="sums")

    assert isinstance(outcome, Again)
    assert outcome.failure.reason is Reason.RAISED
