"""Some of the requests, sent together until each has its answer."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from acuse.client.answer import CREATED, OK, Item
from acuse.client.errors import Unreachable, error_of
from acuse.client.problem import PASSING, problem_of
from acuse.client.request import id_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_LINES = 1_000
MAX_BYTES = 1_048_576


class Chunk:
    """Requests in order, each with what was said of it last."""

    def __init__(self, first: int, lines: Sequence[bytes]) -> None:
        """`first` is the index of the first among all requests."""
        self._first = first
        self._lines = lines
        self._said: list[Item | None] = [None] * len(lines)

    @property
    def open(self) -> list[int]:
        """The places of the requests without a final answer: they are to be sent, or sent again."""
        return [place for place, item in enumerate(self._said) if not _is_final(item)]

    @property
    def is_answered(self) -> bool:
        """Whether something was said of every request."""
        return None not in self._said

    @property
    def is_untouched(self) -> bool:
        """Whether no request has a final answer."""
        return len(self.open) == len(self._lines)

    @property
    def answers(self) -> list[Item]:
        """Everything that was said, in order."""
        return [item for item in self._said if item is not None]

    @property
    def final_answers(self) -> list[Item]:
        """What was said, in order, up to the first request that is open."""
        return [item for item in takewhile(_is_final, self._said) if item is not None]

    @property
    def rest(self) -> tuple[bytes, ...]:
        """From the first request that is open on, as they were sent."""
        return tuple(self._lines[len(self.final_answers) :])

    def begin(self) -> list[int]:
        """The places of the open requests, of which nothing is said from now on until they are answered anew."""
        places = self.open
        for place in places:
            self._said[place] = None
        return places

    def body(self, places: Sequence[int]) -> bytes:
        """Those requests, one a line."""
        return b"".join(self._lines[place] + b"\n" for place in places)

    def take(self, places: Sequence[int], answer: Iterable[bytes]) -> None:
        """Every line of the answer to those requests is kept, even if it breaks off: what a whole line says is so.

        Raises what stands in the way of those that are open still: Unreachable, Busy or Refused.
        """
        for text in answer:
            line = _decoded(text)
            if line is None or (line.totals and not line.problem):
                break
            if line.totals:
                self._check(line.problem)
                return
            if line.index not in range(len(places)):
                break
            place = places[line.index]
            self._said[place] = Item(
                index=self._first + place,
                id=line.id or id_in(self._lines[place]),
                status=line.status,
                document=bytes(line.record or line.problem),
            )
        self._check()

    def _check(self, problem: bytes | msgspec.Raw = b"") -> None:
        waiting = [self._said[place] for place in self.open]
        if None in waiting:
            raise error_of(problem_of(bytes(problem))) if problem else Unreachable("the answer broke off")
        for item in waiting:
            if item is not None:
                raise error_of(problem_of(item.document, item.status))


def chunks(lines: Iterable[bytes]) -> Iterator[Chunk]:
    """The lines in order, in chunks that end as soon as they hold 1,000 lines or 1 MiB; none is taken ahead of need."""
    first, size = 0, 0
    held: list[bytes] = []
    for line in lines:
        held.append(line)
        size += len(line) + 1
        if len(held) >= MAX_LINES or size >= MAX_BYTES:
            yield Chunk(first, held)
            first, size, held = first + len(held), 0, []
    if held:
        yield Chunk(first, held)


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that comes in pieces, each once it is whole; only a line feed ends one."""
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from whole


class _Line(msgspec.Struct, frozen=True):
    """One line of an answer: what is said of one request, or the totals."""

    index: int = -1
    id: str | None = None
    status: int = 0
    record: msgspec.Raw = msgspec.Raw()
    problem: msgspec.Raw = msgspec.Raw()
    totals: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(_Line)


def _decoded(text: bytes) -> _Line | None:
    """The line; None if it is not a whole one, or none that can be understood."""
    try:
        line = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    document = line.record if line.status in {OK, CREATED} else line.problem
    return line if line.totals or bytes(document).startswith(b"{") else None


def _is_final(item: Item | None) -> bool:
    return item is not None and item.status not in PASSING
