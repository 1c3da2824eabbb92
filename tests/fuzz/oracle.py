"""What must be true of any bytes. It breaks with an AssertionError, or with whatever the parser should not raise."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from decimal import Decimal

from acuse.domain import submission as module
from acuse.domain.errors import Invalid, Malformed
from acuse.domain.record import STAMPS
from acuse.domain.submission import Submission, parse
from tests.fuzz.judge import Array, Object, Value, Verdict, Word, content, judged

MAX_BODY = 262_144
SECONDS = 1.0
"""Of the processor's time, for one body of the greatest size; it takes a tenth of that."""

_CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Oracle:
    """Checks one input after another; it remembers some, since different content must have different fingerprints."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._seen: dict[bytes, int] = {}

    def check(self, body: bytes) -> None:
        """All of it holds for these bytes."""
        verdict, value = judged(body)
        began = time.thread_time()
        submission = _parsed(body)
        took = time.thread_time() - began
        assert took < SECONDS, f"{len(body)} bytes took {took:.1f} s"
        if isinstance(submission, Submission):
            assert verdict is Verdict.TAKEN, f"taken, though {verdict.value}"
            _check_taken(submission, value)
            self._check_different(submission.fingerprint, value)
        else:
            assert submission is verdict, f"refused as {submission.value}, though {verdict.value}"
        _check_quick_path(body)

    def _check_different(self, fingerprint: bytes, value: Value) -> None:
        if len(self._seen) > 10_000:
            self._seen.clear()
        # The id is the same in most of them, but its case is no part of the content.
        folded = hash(_with_lower_id(value))
        assert self._seen.setdefault(fingerprint, folded) == folded, "other content has the same fingerprint"


def _parsed(body: bytes) -> Submission | Verdict:
    try:
        return parse(body)
    except Malformed:
        return Verdict.MALFORMED
    except Invalid:
        return Verdict.INVALID


def _check_taken(submission: Submission, value: Value) -> None:
    """It is kept as it was sent, and is the same request again if it is sent as it is kept, or spelt otherwise."""
    value = _with_lower_id(value)
    assert content(submission.body) == value, "the body kept is not the one received"
    stamped = json.loads(submission.accepted(_CREATED).to_json(), parse_float=Decimal)
    assert set(stamped) >= STAMPS
    sent = {name: one for name, one in stamped.items() if name not in STAMPS}
    assert sent == json.loads(submission.body, parse_float=Decimal), "the record shows something else"
    assert sent["id"] == submission.id
    assert sent["action"] == submission.action
    assert parse(submission.body) == submission, "what was kept is not the same request"
    again = respelt(value)
    if len(again) <= MAX_BODY:
        assert parse(again).fingerprint == submission.fingerprint, "the same content has another fingerprint"


def _with_lower_id(value: Value) -> Value:
    assert isinstance(value, Object)
    members = dict(value.members)
    return Object(frozenset((members | {"id": str(members["id"]).lower()}).items()))


def _check_quick_path(body: bytes) -> None:
    """Where the quick path answers, the strict one gives the same answer."""
    quick = module._quickly_decoded(body)
    if quick is not None:
        strict = module._decoded(body)
        assert quick == strict, "the quick path and the strict one differ"
        assert list(map(type, quick[0].values())) == list(map(type, strict[0].values())), "true is not 1"


def respelt(value: Value) -> bytes:
    """The same content in another order, with white space, every character escaped and other notations of numbers."""
    return _spelt(value).encode()


def _spelt(value: Value) -> str:
    match value:
        case Object(members):
            inner = sorted(members, key=lambda member: member[0], reverse=True)
            return "{ " + " ,\n".join(f"{_escaped(name)} : {_spelt(one)}" for name, one in inner) + "\t}"
        case Array(elements):
            return "[\r" + " , ".join(map(_spelt, elements)) + " ]"
        case Word(text):
            return text
        case str(text):
            return _escaped(text)
        case Decimal() as number:
            sign, digits, exponent = number.as_tuple()
            assert isinstance(exponent, int)
            return f"{'-' * sign}0.{''.join(map(str, digits))}0E{exponent + len(digits):+04d}"
    raise AssertionError(value)


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be").hex()
    return '"' + "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)) + '"'
