"""One task → its outcome, by calling the action. Runs in a runner process."""

from __future__ import annotations

import inspect
import json
import logging
import traceback
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from acuse.application.actions import Action, ActionType, Catalogue, Run, _this_run
from acuse.domain.errors import Fail, Invalid, Retry
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Reason
from acuse.domain.subject import subject
from acuse.domain.submission import MAX_DEPTH
from acuse.domain.task import Step, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Results = Callable[[str, int], Iterator[bytes]]
    """Request id and number of parts → the result of each part, in order."""

log = logging.getLogger(__name__)

MAX_DETAIL = 2_000
MAX_LOGGED = 100_000
"""Characters of an error's message with which its traceback is logged."""
MAX_INNER = 5
"""Errors in a group in a group that are told of."""


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
            return Again(Failure(Reason.RETRIES_EXHAUSTED, _mended(_text(error))), after)
        case Fail():
            return Failed(Failure(Reason.REFUSED, _mended(_text(error))))
        case _BadResult():
            return Failed(Failure(Reason.BAD_RESULT, _mended(_text(error))))
        case Invalid():
            return Failed(Failure(Reason.REFUSED, _mended(f"the fields do not fit the action: {_text(error)}")))
        case MemoryError():
            traceback.clear_frames(error.__traceback__)  # What the run held is given up, or nothing could be told.
            _log(error, task)
            return Again(Failure(Reason.RAISED, _mended(f"out of memory, see ACUSE_MAX_MEMORY: {_named(error)}")))
        case _:
            _log(error, task)
            return Again(Failure(Reason.RAISED, _mended(_named(error))))


def _log(error: BaseException, task: Task) -> None:
    shown = error if len(_text(error)) <= MAX_LOGGED else None
    log.warning("run raised", extra=subject(task.id, task.part, task.traceparent), exc_info=shown)


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
    # The encoder crashes where memory ends, so a text that cannot fit is not given to it.
    for text in (value, *(value.values() if isinstance(value, dict) else ())):
        if isinstance(text, str | bytes) and len(text) > limit:
            raise _BadResult(f"more than {limit} bytes of JSON; keep large results elsewhere")
    try:
        encoded = msgspec.json.encode(value)
        if len(encoded) > limit:
            raise _BadResult(f"{len(encoded)} bytes of JSON where {limit} are allowed; keep large results elsewhere")
        decoded = msgspec.json.decode(encoded)
        if msgspec.json.encode(decoded) != encoded:  # A value may bring JSON of its own making, or equal names.
            json.loads(encoded, object_pairs_hook=_object)
            encoded = msgspec.json.format(encoded, indent=-1)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise _BadResult(f"not JSON: {_text(error)}") from error
    if encoded.count(b"{") + encoded.count(b"[") > MAX_DEPTH and _is_deeper(decoded, MAX_DEPTH):
        raise _BadResult(f"JSON nested deeper than {MAX_DEPTH} levels")
    return encoded


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _named(error: BaseException) -> str:
    """The error by its type and message; of a group, also the first in it."""
    told = [f"{type(error).__name__}: {_text(error)}"[:MAX_DETAIL]]
    while isinstance(error, BaseExceptionGroup) and len(told) <= MAX_INNER:
        error = error.exceptions[0]
        told.append(f"{type(error).__name__}: {_text(error)}"[:MAX_DETAIL])
    return "; the first: ".join(told)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001  (an action's own __str__ may raise anything)
        return "(its message cannot be read)"


def _mended(text: str) -> str:
    """What every store keeps and every client reads."""
    return text[:MAX_DETAIL].encode("utf-8", "replace").decode()
