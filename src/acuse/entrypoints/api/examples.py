"""Requests and answers to show. Answers are made by the code that makes the real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from acuse.domain.errors import FieldError
from acuse.domain.outcome import Conflict
from acuse.domain.record import Record, Status
from acuse.domain.submission import parse
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import refused_as_conflict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acuse.application.actions import Catalogue
    from acuse.entrypoints.api.problems import Problem

BODY = {"id": "0192f0c1-0000-7000-8000-000000000001", "action": "delay", "seconds": 2}
CREATED = datetime(2026, 1, 1, 12, tzinfo=UTC)
ERRORS = (FieldError("#/seconds", "Expected `float`, got `str`"),)


def requests(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """One for each action of which no field is required, with what its fields are then."""
    found: dict[str, dict[str, Any]] = {}
    for number, (tag, of) in enumerate(catalogue.items(), 1):
        fields = msgspec.structs.fields(of.cls)
        if not any(field.required for field in fields):
            values = msgspec.to_builtins(of.cls())
            found[tag] = {**values, "id": f"0192f0c1-0000-7000-8000-{number:012x}", "action": tag}
    return found


def lines(several: Iterable[object]) -> str:
    """As NDJSON."""
    return "".join(msgspec.json.encode(one).decode() + "\n" for one in several)


def created() -> dict[str, Any]:
    """What a new request is answered with."""
    return _shown(_record())


def finished() -> dict[str, Any]:
    """The same, when it has ended."""
    at = CREATED + timedelta(seconds=2.01)
    return _shown(
        msgspec.structs.replace(
            _record(), status=Status.FINISHED, finished_at=at, attempts=1, result=b'{"seconds":2.0}'
        )
    )


def bulk() -> dict[str, Any]:
    """What an array is answered with."""
    return {"items": _items(), "totals": _totals()}


def bulk_lines() -> str:
    """What NDJSON is answered with."""
    return lines([*_items(), {"totals": _totals()}])


def problem(of: Problem) -> dict[str, Any]:
    """What such a problem looks like."""
    if of is problems.CONFLICT:
        return _decoded(refused_as_conflict(Conflict(_record())).document())
    if of is problems.INVALID:
        return _decoded(problems.document(of, f"{ERRORS[0].pointer}: {ERRORS[0].detail}", errors=ERRORS))
    return _decoded(problems.document(of, "what is wrong with this one, in a sentence"))


def _record() -> Record:
    return parse(msgspec.json.encode(BODY)).accepted(CREATED)


def _shown(record: Record) -> dict[str, Any]:
    return _decoded(record.to_json())


def _decoded(text: bytes) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def _items() -> list[dict[str, Any]]:
    refused = problem(problems.INVALID)
    return [
        {"index": 0, "id": BODY["id"], "status": 201, "record": created()},
        {"index": 1, "id": None, "status": refused["status"], "problem": refused},
    ]


def _totals() -> dict[str, int]:
    return {"items": 2, "accepted": 1, "replayed": 0, "refused": 1, "unavailable": 0}
