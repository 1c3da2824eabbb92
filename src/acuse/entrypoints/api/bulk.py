"""Many requests in one body: each is judged by itself, stored with its neighbours, and answered in its place."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Self

from acuse.domain.errors import AcuseError, FieldError, Overloaded, StoreUnavailable, SubmissionError
from acuse.domain.outcome import Added, Existing, Withheld
from acuse.domain.submission import Submission
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import Refused, refused_for, too_large
from acuse.entrypoints.api.desk import Doubtful, Waiter
from acuse.entrypoints.api.lines import Line, TooLong
from acuse.entrypoints.api.sheet import Entry, Form, Sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from acuse.application.intake import Reply
    from acuse.domain.event import Observe
    from acuse.entrypoints.api.access import Meter
    from acuse.entrypoints.api.desk import Desk
    from acuse.entrypoints.api.outflow import Outflow
    from acuse.entrypoints.api.preferences import Preferences
    from acuse.entrypoints.api.traced import Told

GROUP = 512
GROUP_BYTES = 1_048_576
"""Items, or bytes of them, that are offered together."""
AHEAD = 4
"""Groups of one body that may be under way. All streams together (max_streams) leave room for others in max_waiting."""
TURN = 65_536
LEAST = 512
"""Bytes that are judged before others get a turn; a short item counts as so many."""


class Terms(NamedTuple):
    """What holds for every item of one body."""

    form: Form
    trace: str | None
    prefer: Preferences
    max_body: int
    retry_after: bytes
    most: int | None
    meter: Meter | None
    observe: Observe
    span: Told


class Group(NamedTuple):
    """Entries in their order; what is known of the doubtful ones; who waits for the others, or why nobody does."""

    entries: list[Entry]
    earlier: Sequence[Reply]
    waiter: Waiter | AcuseError | None


class Bulk:
    """One body's items, in; the answer to each, out, in order."""

    def __init__(self, desk: Desk, out: Outflow, terms: Terms) -> None:
        """Nothing has come yet."""
        self._desk = desk
        self._out = out
        self._terms = terms
        self._sheet = Sheet(
            out, terms.form, terms.retry_after, terms.observe, minimal=terms.prefer.minimal, most=terms.most
        )
        self._entries: list[Entry] = []
        self._bytes = 0
        self._turn = TURN
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
        return bool(self._entries or self._offered) or not self._sheet.is_blank

    async def take(self, lines: Sequence[Line]) -> None:
        """They are judged, and stored with those before and after them."""
        for line in lines:
            self._entries.append(self._judged(line))
            size = 0 if isinstance(line, TooLong) else len(line)
            self._bytes += size
            self._turn -= max(size, LEAST)
            if self._turn < 0:
                await self._give_way()
            if len(self._entries) >= GROUP or self._bytes >= GROUP_BYTES:
                await self._offer()
        if self._entries and not self._offered:
            await self._offer()  # Nothing else is under way: who sends a little at a time need not wait for more.

    async def take_together(self, lines: Sequence[Line]) -> None:
        """All are stored, or Refused is raised and none is."""
        entries: list[Entry] = []
        for line in lines:
            entries.append(self._judged(line))
            await self._give_way()
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
        self._sheet.write([(entry, replies[place]) for place, entry in enumerate(entries)])

    async def end(self, problem: Refused | None = None) -> None:
        """The answer is complete. `problem`: why the body could not be read any further."""
        if self._entries:
            try:
                await self._offer()
            except Refused as refused:  # The rate is used up.
                problem = problem or refused
        await self._until(0)
        self._terms.span.counted(self._sheet.end(problem))
        await self._out.finish()

    async def _give_way(self) -> None:
        self._turn = TURN
        await asyncio.sleep(0)

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
        await self._until(AHEAD - 1)
        # What an id was before is asked before any of its neighbours is stored.
        earlier = await self._earlier([entry for entry in entries if isinstance(entry, Doubtful)])
        self._offered.append(Group(entries, earlier, await self._waiter(submissions) if submissions else None))
        self._moved.set()

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
            await self._answer(self._offered[0])
            self._offered.popleft()
            self._moved.set()

    async def _answer(self, group: Group) -> None:
        stored: list[Reply] = []
        match group.waiter:
            case AcuseError() as error:
                stored = [error] * len(group.entries)
            case asyncio.Future() as waiter:
                stored = list(await waiter)
        of_doubtful = iter(group.earlier)
        of_submissions = iter(stored)
        answers: list[tuple[Entry, Reply | Refused]] = []
        for entry in group.entries:
            match entry:
                case Submission():
                    answers.append((entry, next(of_submissions)))
                case Doubtful():
                    answers.append((entry, next(of_doubtful)))
                case Refused():
                    answers.append((entry, entry))
        self._sheet.write(answers)
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
            place: self._sheet.refusal(reply)
            for place, reply in replies.items()
            if not isinstance(reply, Added | Existing | Withheld)
        }


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
