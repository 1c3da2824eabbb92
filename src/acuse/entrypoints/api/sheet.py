"""The answer to many requests: each in its place, and the totals."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, assert_never

import msgspec

from acuse.domain import event
from acuse.domain.errors import AcuseError
from acuse.domain.outcome import Added, Conflict, Existing, Withheld
from acuse.domain.submission import Submission
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import JSON, NDJSON, Refused, refused_as_conflict, refused_for
from acuse.entrypoints.api.desk import Doubtful

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.application.intake import Reply
    from acuse.entrypoints.api.outflow import Outflow

MOST_WHOLE = 2_000_000
"""Bytes of records and problems in an answer that is sent as a whole. Lambda takes 6 MB, written as JSON."""
NO_ROOM = Refused(problems.OVERLOADED, "the answer has no room for it: send it again, with fewer others")
"""It may have been stored: then it is replayed."""

Entry = Submission | Doubtful | Refused


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


class Sheet:
    """Written item by item, in order."""

    def __init__(
        self,
        out: Outflow,
        form: Form,
        retry_after: bytes,
        observe: event.Observe,
        *,
        minimal: bool,
        most: int | None,
    ) -> None:
        """Nothing is written yet. `most`: bytes of records and problems, where the answer must be sent as a whole."""
        self._out = out
        self._form = form
        self._retry_after = retry_after
        self._observe = observe
        self._minimal = minimal
        self._most = most
        self._size = 0
        self._index = 0
        self._statuses: Counter[int] = Counter()

    @property
    def is_blank(self) -> bool:
        """Whether no item is on it."""
        return self._index == 0

    def write(self, answers: Sequence[tuple[Entry, Reply | Refused]]) -> None:
        """The next items, and what came of them."""
        form = self._form
        pieces: list[bytes] = []
        refused: Counter[str] = Counter()
        for index, (entry, reply) in enumerate(answers, self._index):
            status, name, content, problem = self._outcome(reply)
            if self._most is not None:
                self._size += len(content)
                if self._size > self._most:
                    status, name, content, problem = self._outcome(NO_ROOM)
            if problem is not None:
                refused[problem.slug] += 1
            submission = entry.submission if isinstance(entry, Doubtful) else entry
            id_ = b"null" if isinstance(submission, Refused) else b'"%b"' % submission.id.encode()
            before = form.between if index else form.begin
            item = (before, index, id_, status, name, content, form.after)
            pieces.append(b'%b{"index":%d,"id":%b,"status":%d,"%b":%b}%b' % item)
            self._statuses[status] += 1
        for slug, count in refused.items():
            self._observe(event.Refused(slug, count))
        self._index += len(answers)
        self._out.write(b"".join(pieces))

    def end(self, problem: Refused | None) -> dict[str, int]:
        """The totals are on it. `problem`: why there are no more items."""
        if problem is not None:
            self._observe(event.Refused(problem.problem.slug, 1))
        form = self._form
        begin = form.begin if self.is_blank else b""
        last = b"" if problem is None else b',"problem":' + problem.document()
        totals = totals_of(self._statuses)
        told = (begin, form.totals, msgspec.json.encode(totals), last, form.end)
        self._out.write(b'%b%b"totals":%b%b%b' % told)
        return totals

    def refusal(self, reply: Conflict | Withheld | Refused | AcuseError) -> Refused:
        """What the client hears of a reply that is no record."""
        match reply:
            case Conflict():
                return refused_as_conflict(reply)
            case Withheld():
                return Refused(problems.CONFLICT, "another request in the same body is in the way")
            case Refused():
                return reply
            case AcuseError():
                return refused_for(reply, self._retry_after)
            case _:
                assert_never(reply)

    def _outcome(self, reply: Reply | Refused) -> tuple[int, bytes, bytes, problems.Problem | None]:
        """The status, the record or the problem (its name and its JSON), and which problem it is."""
        match reply:
            case Added(record=record):
                return 201, b"record", record.to_json(minimal=self._minimal), None
            case Existing(record=record):
                return 200, b"record", record.to_json(minimal=self._minimal), None
            case _:
                refused = self.refusal(reply)
                return refused.problem.status, b"problem", refused.document(), refused.problem


def totals_of(statuses: Counter[int]) -> dict[str, int]:
    """What came of the items, by kinds of status."""
    return {
        "items": statuses.total(),
        "accepted": statuses[201],
        "replayed": statuses[200],
        "refused": sum(count for status, count in statuses.items() if 400 <= status < 500),  # noqa: PLR2004
        "unavailable": sum(count for status, count in statuses.items() if status >= 500),  # noqa: PLR2004
    }
