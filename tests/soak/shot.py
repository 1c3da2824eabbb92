"""What is sent next, by seed and number. Pure."""

from __future__ import annotations

import gzip
import json
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

K = TypeVar("K")

JSON = "application/json"
LINES = "application/x-ndjson"
UNREAD_LINES = 10_000


OK, CREATED, MANY = 200, 201, 207
"""OK for a new one too: the client sends it again when its old connection has just been closed."""


class Kind(StrEnum):
    """What a client does."""

    SINGLE = "single"
    WAIT = "wait"
    BULK = "bulk"
    REPLAY = "replay"
    CONFLICT = "conflict"
    MALFORMED = "malformed"
    HALF = "half"
    DEAF = "deaf"
    UNREAD = "unread"


OLD = frozenset({Kind.REPLAY, Kind.CONFLICT, Kind.UNREAD})
"""What is about a request that was sent before."""


class Sent(NamedTuple):
    """One request that the service may take."""

    id: str
    body: bytes


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request: what it asks for, its bytes, and the statuses that answer it well."""

    kind: Kind
    body: bytes
    requests: tuple[Sent, ...] = ()
    headers: dict[str, str] = msgspec.field(default_factory=lambda: {"Content-Type": JSON})
    expected: tuple[int, ...]
    is_fresh: bool = False
    """On a connection of its own."""


KINDS = {
    Kind.SINGLE: 740, Kind.WAIT: 50, Kind.BULK: 20, Kind.REPLAY: 100, Kind.CONFLICT: 25, Kind.MALFORMED: 34,
    Kind.HALF: 15, Kind.DEAF: 15, Kind.UNREAD: 1,
}  # fmt: skip
"""How often each is, in a thousand."""

ACTIONS = {"short": 900, "sums": 40, "flaky": 30, "hopeless": 28, "crashing": 2}


def shot(seed: int, number: int, recent: Sequence[Sent], leak: int = 0) -> Shot:
    """The shot. `recent`: what was acknowledged lately; `leak`: kilobytes that one run in three leaks."""
    random = Random(f"{seed}:{number}")
    kind = _one_of(KINDS, random)
    if kind in OLD:
        return _of_old(kind, random.choice(recent), number) if recent else _single(random, Kind.SINGLE, leak)
    if kind is Kind.MALFORMED:
        body = random.choice([b"{", b"[1,", b'{"id":"x","action":"short"}', _request(random, "nothing").body])
        return Shot(kind=kind, body=body, expected=(400, 422))
    return _many(random, leak) if kind is Kind.BULK else _single(random, kind, leak)


def _of_old(kind: Kind, old: Sent, number: int) -> Shot:
    if kind is Kind.REPLAY:
        return Shot(kind=kind, requests=(old,), body=old.body, expected=(200,))
    if kind is Kind.CONFLICT:
        return Shot(kind=kind, body=json.dumps({**json.loads(old.body), "other": number}).encode(), expected=(409,))
    body = gzip.compress((old.body + b"\n") * UNREAD_LINES, 1, mtime=0)
    return Shot(kind=kind, body=body, headers={"Content-Type": LINES, "Content-Encoding": "gzip"}, expected=())


def _many(random: Random, leak: int) -> Shot:
    requests = tuple(_some(random, leak) for _ in range(random.randint(2, 20)))
    body = b"".join(request.body + b"\n" for request in requests)
    headers = {"Content-Type": LINES}
    return _packed(random, Shot(kind=Kind.BULK, requests=requests, body=body, headers=headers, expected=(MANY,)))


def _single(random: Random, kind: Kind, leak: int) -> Shot:
    request = _some(random, leak)
    headers = {"Content-Type": JSON, **({"Prefer": "wait=5"} if kind is Kind.WAIT else {})}
    is_fresh = random.random() < 0.1
    made = Shot(
        kind=kind, requests=(request,), body=request.body, headers=headers, expected=(CREATED, OK), is_fresh=is_fresh
    )
    return _packed(random, made)


def _packed(random: Random, made: Shot) -> Shot:
    if random.random() >= 0.1:
        return made
    headers = {**made.headers, "Content-Encoding": "gzip"}
    return msgspec.structs.replace(made, body=gzip.compress(made.body, 1, mtime=0), headers=headers)


def _some(random: Random, leak: int) -> Sent:
    if leak and random.random() < 1 / 3:
        return _request(random, "leaking", kilobytes=leak)
    # A crash would free what has leaked.
    match action := _one_of({**ACTIONS, "crashing": 0} if leak else ACTIONS, random):
        case "short":
            return _request(random, action, text="x" * random.choice([10, 100, 100, 1_000]))
        case "sums":
            return _request(random, action, upto=random.randint(1, 6))
        case _:
            return _request(random, action)


def _request(random: Random, action: str, **members: Any) -> Sent:
    id_ = str(UUID(int=random.getrandbits(128), version=4))
    return Sent(id_, json.dumps({"id": id_, "action": action, **members}).encode())


def _one_of(weights: dict[K, int], random: Random) -> K:
    return random.choices(list(weights), list(weights.values()))[0]
