"""One task → its outcome, by calling the action. Runs in a runner process."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from acuse.application.actions import Action, ActionType, Catalogue, Run, _this_run
from acuse.domain.errors import Fail, Invalid, Retry
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Reason
from acuse.domain.task import Step, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Results = Callable[[str, int], Iterator[bytes]]
    """Request id and number of parts → the result of each part, in order."""

log = logging.getLogger(__name__)

MAX_DETAIL = 2_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may give back. Bytes of JSON: of a result, of one part's value, of all the values of a split."""

    max_result: int = 65_536
    max_parts: int = 10_000
    max_plan: int = 16_777_216


class _BadResult(Exception):
    """What the action returned cannot be kept."""


def perform(task: Task, catalogue: Catalogue, results: Results, limits: Limits) -> Outcome:
    """What came of the run. Never raises: whatever the action does short of ending the process is an outcome."""
    found = catalogue.get(task.action)
    if found is None:
        return Again(Failure(Reason.UNKNOWN_ACTION, f"this worker knows no action {task.action}"))
    reset = _this_run.set(Run(id=task.id, part=task.part, attempt=task.attempt, traceparent=task.traceparent))
    try:
        return _call(task, found, found.decode(task.body), results, limits)
    except BaseException as error:  # noqa: BLE001  (whatever an action raises, SystemExit too, is an outcome)
        return _outcome_of(error, task)
    finally:
        _this_run.reset(reset)


def _outcome_of(error: BaseException, task: Task) -> Outcome:
    match error:
        case Retry(after=after):
            return Again(Failure(Reason.RETRIES_EXHAUSTED, _detail(error)), after)
        case Fail():
            return Failed(Failure(Reason.REFUSED, _detail(error)))
        case _BadResult():
            return Failed(Failure(Reason.BAD_RESULT, _detail(error)))
        case Invalid():
            return Failed(Failure(Reason.REFUSED, f"the fields do not fit the action: {_detail(error)}"))
        case _:
            log.warning("run raised", extra={"request_id": task.id, "part": task.part}, exc_info=error)
            return Again(Failure(Reason.RAISED, f"{type(error).__name__}: {_detail(error)}"))


def _call(task: Task, found: ActionType, action: Action, results: Results, limits: Limits) -> Outcome:
    work: Any = action
    match task.step:
        case Step.RUN:
            return Done(_encode(_value(work.run()), limits.max_result))
        case Step.SPLIT:
            return Planned(_values(_value(work.split()), limits))
        case Step.PROCESS:
            part = msgspec.json.decode(task.value or b"null", type=found.part_type)
            return Done(_encode(_value(work.process(part)), limits.max_result))
        case Step.MERGE:
            decoder = msgspec.json.Decoder(found.result_type)
            merged = work.merge(decoder.decode(result) for result in results(task.id, task.parts))
            return Done(_encode(_value(merged), limits.max_result))
        case _:
            assert_never(task.step)


def _value(returned: Any) -> Any:
    """What the method returned; an `async def` one is run to its end first."""
    if not inspect.iscoroutine(returned):
        return returned

    import asyncio  # noqa: PLC0415  (slow to import, and few actions need it)

    async def finish() -> Any:
        return await returned

    return asyncio.run(finish())


def _values(parts: Iterable[Any], limits: Limits) -> tuple[bytes, ...]:
    values: list[bytes] = []
    size = 0
    for part in parts:
        values.append(_encode(part, limits.max_result))
        size += len(values[-1])
        if len(values) > limits.max_parts:
            raise _BadResult(f"the split yields more than {limits.max_parts} parts")
        if size > limits.max_plan:
            raise _BadResult(f"the values of the parts are more than {limits.max_plan} bytes of JSON in all")
    return tuple(values)


def _encode(value: Any, limit: int) -> bytes:
    try:
        encoded = msgspec.json.encode(value)
        msgspec.json.decode(encoded)  # A value may bring JSON of its own making.
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise _BadResult(f"not JSON: {error}") from error
    if len(encoded) > limit:
        raise _BadResult(f"{len(encoded)} bytes of JSON where {limit} are allowed; keep large results elsewhere")
    return encoded


def _detail(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  (an action's own __str__ may raise anything)
        text = "(its message cannot be read)"
    return text[:MAX_DETAIL].encode("utf-8", "replace").decode()
