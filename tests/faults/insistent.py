"""A caller that makes a call again until it hears of it, as the service does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added, Existing
from tests.faults.seam import seam

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from tests.faults.seam import Scripted

    P = TypeVar("P")

TRIES = 10


def insistent(port: P, script: Scripted) -> P:
    """The same store or queue under the script. A call returns what came of its first try that did anything.

    Tries after that one must change nothing; it is asserted that they tell so. Only `receive` is not made again once
    it has done anything: it returns what nobody heard of.
    """
    return cast("P", _Insistent(seam(port, script), script))


class _Insistent:
    def __init__(self, port: object, script: Scripted) -> None:
        self._port = port
        self._script = script

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self._port, verb)

        def call(*arguments: Any, **named: Any) -> Any:
            before = len(self._script.lost)
            for _ in range(TRIES):
                try:
                    last = method(*arguments, **named)
                except StoreUnavailable:
                    if verb == "receive" and len(self._script.lost) > before:
                        return self._script.lost[-1]
                    continue
                first, *others = [*self._script.lost[before:], last]
                for other in others:
                    _check(verb, first, other)
                return first
            raise AssertionError(f"{verb} fails for ever")

        return call


def _check(verb: str, first: Any, again: Any) -> None:
    match verb:
        case "add":
            assert all(isinstance(one, Existing) for one in again)
            for one, other in zip(first, again, strict=True):
                # The first may have been there before, and other than what was sent.
                assert (one.record.id, one.record.body) == (other.record.id, other.record.body)
                assert other.record == one.record or not isinstance(one, Added)
        case "settle" | "reopen":
            assert not any(again)
        case "plan":
            assert not again
