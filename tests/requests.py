"""Requests, records and deliveries to test with."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from acuse.domain.submission import Submission, parse

if TYPE_CHECKING:
    from acuse.domain.record import Record

_numbers = itertools.count(1)
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


def new_id() -> str:
    return f"0192f0c1-0000-7000-8000-{next(_numbers):012x}"


def body(**members: Any) -> bytes:
    return json.dumps({"id": new_id(), "action": "delay", **members}).encode()


def submission(**members: Any) -> Submission:
    return parse(body(**members))


def record(at: datetime = CREATED, **members: Any) -> Record:
    return submission(**members).accepted(at)
