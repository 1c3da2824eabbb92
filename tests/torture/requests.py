"""The requests that are sent, and what must become of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from random import Random

Members = dict[str, Any]

MOST_PARTS = 12


class Expected(msgspec.Struct, frozen=True):
    """How a request must end."""

    status: str
    result: object
    detail: str | None = None


def request(random: Random) -> Members:
    """One of those that the actions of the torture take: most are short, some long, some split, some fail."""
    id_ = str(UUID(int=random.getrandbits(128), version=4))
    dice = random.random()
    if dice < 0.02:
        return {"id": id_, "action": "give-up"}
    if dice < 0.05:
        return {"id": id_, "action": "sum-up", "upto": random.randint(0, MOST_PARTS)}
    seconds = 0.3 if dice < 0.06 else 0.0
    return {
        "id": id_,
        "action": "tally",
        "number": random.randint(0, 1_000_000),
        "seconds": seconds,
        "text": "x" * random.choice((0, 0, 10, 100, 2_000)),
    }


def altered(members: Members) -> Members:
    """The same id with other content."""
    return {**members, "remark": "not what was sent before"}


def expected(members: Members) -> Expected:
    """What must come of it."""
    match members["action"]:
        case "tally":
            return Expected("finished", {"number": 3 * members["number"]})
        case "sum-up":
            parts = members["upto"]
            return Expected("finished", {"parts": parts, "sum": parts * (parts + 1) // 2})
        case _:
            return Expected("failed", None, "as it was asked to")
