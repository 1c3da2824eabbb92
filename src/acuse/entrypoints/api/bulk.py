"""Many requests in one body: each is judged by itself, stored with its neighbours, and answered in its place."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple, Self, assert_never

import msgspec

from acuse.domain.errors import AcuseError, FieldError, Malformed, Overloaded, StoreUnavailable, SubmissionError
from acuse.domain.outcome import Added, Conflict, Existing, Withheld
from acuse.domain.submission import Submission
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import JSON, NDJSON, Refused, refused_as_conflict, refused_for, too_large
from acuse.entrypoints.api.desk import Doubtful, Waiter
from acuse.entrypoints.api.lines import Line, TooLong

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from acuse.application.intake import Reply
    from acuse.entrypoints.api.access import Meter
    from acuse.entrypoints.api.desk import Desk
    from acuse.entrypoints.api.outflow import Outflow
    from acuse.entrypoints.api.preferences import Preferences

GROUP = 512
GROUP_BYTES = 1_048_576
"""Items, or bytes of them, that are offered together."""
AHEAD = 4
"""Groups that are being stored while the next one is judged."""
TURN = 64
"""Items that are judged before others get a turn."""


class Form(NamedTuple):
    """How the answer is put together."""

    media_type: bytes
    begin: bytes
    between: bytes
    after: bytes
    totals: bytes
    end: bytes


LINES = Form(NDJSON, begin=b"", between=b"", after=b"\n", totals=b"{", end=b"}\n")
ARRAY = Form(JSON, begin=b'{"items":[', between=b",", after=b"", totals=b"],", end=b"}")


class Terms(NamedTuple):
    """What holds for every item of one body."""

    form: Form
    trace: str | None
    prefer: Preferences
    max_body: int
    retry_after: bytes
    meter: Meter | None


Entry = Submission | Doubtful | Refused
Group = tuple[list[Entry], Waiter | AcuseError | None]


class Bulk:
    """One body's items, in; the answer to each, out, in order."""

    def __init__(self, desk: Desk, out: Outflow, terms: Terms) -> None:
        """Nothing has come yet."""
        self._desk = desk
        self._out = out
        self._terms = terms
        self._index = 0
        self._statuses: Counter[int] = Counter()
        self._entries: list[Entry] = []
        self._bytes = 0
        self._offered: deque[Group] = deque()
        self._moved = asyncio.Event()
        """Something was offered, or answered."""
        self._answering = asyncio.create_task(self._answer_all())
        self._answering.add_done_callback(lambda _: self._moved.set())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._answering.cancel()
        await asyncio.gather(self._answering, return_exceptions=True)

    @property
    def has_begun(self) -> bool:
        """Whether any item has come: then the answer is 207, whatever follows."""
        return bool(self._index or self._entries or self._offered)

    async def take(self, lines: Sequence[Line]) -> None:
        """They are judged, and stored with those before and after them."""
        for number, line in enumerate(lines, 1):
            self._entries.append(self._judged(line))
            self._bytes += 0 if isinstance(line, TooLong) else len(line)
            if len(self._entries) >= GROUP or self._bytes >= GROUP_BYTES:
                await self._offer()
            if number % TURN == 0:
                await asyncio.sleep(0)
        if self._entries and not self._offered:
            await self._offer()  # Nothing else is under way: who sends a little at a time need not wait for more.

    async def take_together(self, lines: Sequence[Line]) -> None:
        """All are stored, or Refused is raised and none is."""
        entries = [self._judged(line) for line in lines]
        refused = {place: entry for place, entry in enumerate(entries) if isinstance(entry, Refused)}
        doubtful = {place: entry for place, entry in enumerate(entries) if isinstance(entry, Doubtful)}
        replies: dict[int, Reply] = dict(zip(doubtful, await self._earlier(list(doubtful.values())), strict=True))
        refused |= self._refusals(replies)
        if not refused:
            submissions = {place: entry for place, entry in enumerate(entries) if isinstance(entry, Submission)}
            await self._pace(len(entries))
            stored = await self._desk.offer(list(submissions.values()), together=True) if submissions else []
            replies |= dict(zip(submissions, stored, strict=True))
            refused |= self._refusals(replies)
        if refused:
            raise _together(refused)
        if entries:
            self._write([(entry, replies[place]) for place, entry in enumerate(entries)])

    async def end(self, problem: Refused | None = None) -> None:
        """The answer is complete. `problem`: why the body could not be read any further."""
        if self._entries:
            await self._offer()
        await self._until(0)
        form = self._terms.form
        begin = b"" if self._index else form.begin
        last = b"" if problem is None else b',"problem":' + problem.document()
        totals = msgspec.json.encode(totals_of(self._statuses))
        self._out.write(b'%b%b"totals":%b%b%b' % (begin, form.totals, totals, last, form.end))
        await self._out.finish()

    def _judged(self, line: Line) -> Entry:
        if isinstance(line, TooLong):
            return too_large(f"at most {self._terms.max_body} bytes are taken", closing=False)
        try:
            return self._desk.judge(line, self._terms.trace)
        except SubmissionError as error:
            return refused_for(error, self._terms.retry_after)

    async def _offer(self) -> None:
        entries, self._entries, self._bytes = self._entries, [], 0
        submissions = [entry for entry in entries if isinstance(entry, Submission)]
        await self._pace(len(entries))
        self._offered.append((entries, await self._waiter(submissions) if submissions else None))
        self._moved.set()
        await self._until(AHEAD)

    async def _waiter(self, submissions: Sequence[Submission]) -> Waiter | AcuseError:
        """Who waits for them; Overloaded if there is no room for them although nothing of this body is under way."""
        while True:
            try:
                return self._desk.offer(submissions)
            except Overloaded as error:
                if not self._offered:
                    return error
            await self._until(len(self._offered) - 1)

    async def _until(self, left: int) -> None:
        """At most so many groups wait for their answer."""
        while len(self._offered) > left:
            if self._answering.done():
                self._answering.result()
            self._moved.clear()
            await self._moved.wait()

    async def _answer_all(self) -> None:
        """Each group is answered in its turn, as soon as it is stored."""
        while True:
            while not self._offered:
                self._moved.clear()
                await self._moved.wait()
            await self._answer(*self._offered[0])
            self._offered.popleft()
            self._moved.set()

    async def _answer(self, entries: list[Entry], waiter: Waiter | AcuseError | None) -> None:
        stored: list[Reply] = []
        match waiter:
            case AcuseError():
                stored = [waiter] * len(entries)
            case asyncio.Future():
                stored = list(await waiter)
        of_doubtful = iter(await self._earlier([entry for entry in entries if isinstance(entry, Doubtful)]))
        of_submissions = iter(stored)
        answers: list[tuple[Entry, Reply | Refused]] = []
        for entry in entries:
            match entry:
                case Submission():
                    answers.append((entry, next(of_submissions)))
                case Doubtful():
                    answers.append((entry, next(of_doubtful)))
                case Refused():
                    answers.append((entry, entry))
        self._write(answers)
        await self._out.room()

    async def _earlier(self, doubtful: Sequence[Doubtful]) -> Sequence[Reply]:
        if not doubtful:
            return []
        try:
            return await self._desk.earlier(doubtful)
        except StoreUnavailable as error:
            return [error] * len(doubtful)

    async def _pace(self, requests: int) -> None:
        if self._terms.meter is not None:
            await self._terms.meter.pace(requests)

    def _refusals(self, replies: dict[int, Reply]) -> dict[int, Refused]:
        # What was withheld was so for the sake of a conflict, which is told.
        return {
            place: self._refusal(reply)
            for place, reply in replies.items()
            if not isinstance(reply, Added | Existing | Withheld)
        }

    def _write(self, answers: Sequence[tuple[Entry, Reply | Refused]]) -> None:
        form = self._terms.form
        pieces = [b"" if self._index else form.begin]
        for entry, reply in answers:
            status, name, content = self._outcome(reply)
            submission = entry.submission if isinstance(entry, Doubtful) else entry
            id_ = b"null" if isinstance(submission, Refused) else b'"%b"' % submission.id.encode()
            item = (form.between if self._index else b"", self._index, id_, status, name, content, form.after)
            pieces.append(b'%b{"index":%d,"id":%b,"status":%d,"%b":%b}%b' % item)
            self._index += 1
            self._statuses[status] += 1
        self._out.write(b"".join(pieces))

    def _outcome(self, reply: Reply | Refused) -> tuple[int, bytes, bytes]:
        """The status, and the record or the problem: its name and its JSON."""
        match reply:
            case Added(record=record):
                return 201, b"record", record.to_json(minimal=self._terms.prefer.minimal)
            case Existing(record=record):
                return 200, b"record", record.to_json(minimal=self._terms.prefer.minimal)
            case _:
                refused = self._refusal(reply)
                return refused.problem.status, b"problem", refused.document()

    def _refusal(self, reply: Conflict | Withheld | Refused | AcuseError) -> Refused:
        match reply:
            case Conflict():
                return refused_as_conflict(reply)
            case Withheld():
                return Refused(problems.CONFLICT, "another request in the same body is in the way")
            case Refused():
                return reply
            case AcuseError():
                return refused_for(reply, self._terms.retry_after)
            case _:
                assert_never(reply)


def totals_of(statuses: Counter[int]) -> dict[str, int]:
    """What came of the items, by kinds of status."""
    return {
        "items": statuses.total(),
        "accepted": statuses[201],
        "replayed": statuses[200],
        "refused": sum(count for status, count in statuses.items() if 400 <= status < 500),  # noqa: PLR2004
        "unavailable": sum(count for status, count in statuses.items() if status >= 500),  # noqa: PLR2004
    }


def items_of(body: bytes, max_body: int) -> list[Line]:
    """The items of a JSON array; raises Malformed if it is none as a whole."""
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"not a JSON array: {error}") from error
    return [TooLong() if len(item) > max_body else bytes(item) for item in items]


def _together(refused: dict[int, Refused]) -> Refused:
    """One problem for all of them: that of the first, with every complaint about any that has the same."""
    first = refused[min(refused)]
    errors: list[FieldError] = []
    for place, one in sorted(refused.items()):
        if one.problem is first.problem:
            found = one.errors or [FieldError("#/id" if one.problem is problems.CONFLICT else "#", one.detail)]
            errors += [FieldError(f"#/{place}{error.pointer[1:]}", error.detail) for error in found]
    detail = f"nothing was stored; item {min(refused)}: {first.detail}"
    return Refused(first.problem, detail, headers=first.headers, errors=errors)
