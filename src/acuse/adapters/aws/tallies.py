"""Tallies in DynamoDB: an item for each span, in a ring that is used anew when it has gone round.

Whoever adds does so in one of several lanes, so that many who add at once do not come to one partition.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.calls import Refused, patiently
from acuse.adapters.aws.items import integer, moment, native_key, number, text
from acuse.domain.record import Key, Status, rfc3339
from acuse.domain.tally import KEPT, SPAN, Tally, span_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from acuse.adapters.aws.items import Attribute, Item
    from acuse.adapters.aws.table import Table

PREFIX = "_tally"
"""What the ids of these items begin with, followed by the lane."""
LANES = 4
IDS = tuple(f"{PREFIX}{lane}" for lane in range(LANES))
AHEAD = 4 * SPAN
"""How far a clock that stamps records may be ahead of that of those who look."""
SPANS = (KEPT + AHEAD) // SPAN + 2
"""In the ring."""
CODES = {Status.ACCEPTED: "a", Status.FINISHED: "f", Status.FAILED: "x"}
"""The items are written again for each batch, and are paid for by their size."""

OWN = frozenset({"id", "_part", "at"})
"""No count has such a name, for none is without a space."""

SAME_SPAN = "#at = :at"
EARLIER_SPAN = "attribute_not_exists(#at) OR #at < :at"
ONE_TRY = timedelta(0)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES = {code: status for status, code in CODES.items()}


class Tallies:
    """To be added to. Nothing is tried twice: a write that was thought lost may have landed."""

    def __init__(self, client: Any, table: str, *, lane: int) -> None:
        """Nothing is called yet."""
        self._client = client
        self._table = table
        self._id = IDS[lane % LANES]
        self._latest: datetime | None = None

    def add(self, tallies: Iterable[Tally]) -> None:
        """They are counted; what lies further back than the ring reaches is not. Raises StoreUnavailable."""
        for at, same in groupby(sorted(tallies, key=attrgetter("at")), key=attrgetter("at")):
            amounts = {_name(one): number(one.count) for one in same}
            # What is likely comes first, for a write that is refused is paid for, too: a new span finds an old item.
            begins = self._latest is None or at > self._latest
            steps = (self._replaced, self._added) if begins else (self._added, self._replaced, self._added)
            any(step(at, amounts) for step in steps)
            self._latest = at if begins else self._latest

    def _added(self, at: datetime, amounts: dict[str, Attribute]) -> bool:
        """False where the item is not of that span."""
        names = {f"#n{place}": name for place, name in enumerate(amounts)}
        return self._is_done(
            self._client.update_item,
            at,
            SAME_SPAN,
            names,
            {name.replace("#n", ":v"): amounts[kind] for name, kind in names.items()},
            Key=native_key(Key(self._id, _part(at))),
            UpdateExpression="ADD " + ", ".join(f"{name} {name.replace('#n', ':v')}" for name in names),
        )

    def _replaced(self, at: datetime, amounts: dict[str, Attribute]) -> bool:
        """False where the item is of that span, or a later one."""
        item = {**native_key(Key(self._id, _part(at))), "at": _at(at), **amounts}
        return self._is_done(self._client.put_item, at, EARLIER_SPAN, {}, {}, Item=item)

    def _is_done(
        self,
        call: Callable[..., Any],
        at: datetime,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Attribute],
        **asked: Any,
    ) -> bool:
        call = partial(
            call,
            TableName=self._table,
            ConditionExpression=condition,
            ExpressionAttributeNames={"#at": "at", **names},
            ExpressionAttributeValues={":at": _at(at), **values},
            **asked,
        )
        try:
            patiently(ONE_TRY, call)
        except Refused:
            return False
        return True


def tallied(table: Table, since: datetime, now: datetime) -> list[Tally]:
    """What was counted in the spans that began then or later. What was added in the last moment may be missing."""
    first = max(since, span_of(now - KEPT))
    reads = [(id_, *ends) for id_ in IDS for ends in _ranges(first, now)]
    items = table.each(lambda read: _read(table, *read), reads)
    return [tally for item in items if moment(item["at"]) >= first for tally in _tallies(item)]


def _read(table: Table, id_: str, low: int, high: int) -> list[Item]:
    values = {"id": text(id_), "low": number(low), "high": number(high)}
    return list(table.query("#id = :id AND #_part BETWEEN :low AND :high", values))


def _ranges(first: datetime, now: datetime) -> Iterator[tuple[int, int]]:
    """Where in the ring the spans are, from the first on: from which part to which; one range, or two."""
    later = now + AHEAD
    if first > later:
        return
    if later - first >= (SPANS - 1) * SPAN:
        yield -SPANS, -1
    elif _part(later) <= _part(first):
        yield _part(later), _part(first)
    else:
        yield -SPANS, _part(first)
        yield _part(later), -1


def _part(at: datetime) -> int:
    """The place of the span in the ring, as a sort key: below zero, for it is no request's and no part's."""
    return -1 - (at - _EPOCH) // SPAN % SPANS


def _at(at: datetime) -> Attribute:
    return text(rfc3339(at))


def _name(tally: Tally) -> str:
    return f"{CODES[tally.status]}{tally.bound} {tally.action}"


def _tallies(item: Item) -> Iterator[Tally]:
    at = moment(item["at"])
    for name in item.keys() - OWN:
        code, (bound, _, action) = name[0], name[1:].partition(" ")
        yield Tally(at=at, action=action, status=_STATUSES[code], bound=int(bound), count=integer(item, name))
