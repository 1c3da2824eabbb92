"""Whether a table and a queue are as they must be, for those who have these credentials. It only reads."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from acuse.adapters.aws.calls import code_of, is_passing, patiently
from acuse.adapters.aws.failed import FAILED_AT, INDEX, PROJECTED, SHARD
from acuse.domain.errors import Misconfigured, StoreUnavailable
from acuse.domain.finding import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from acuse.ports import Clock

TABLE_KEYS = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "_part", "KeyType": "RANGE"}]
FEWEST_RECEIVES = 5
SKEWED = timedelta(seconds=5)
"""The time of an answer is in whole seconds, and it was under way for a while."""
REFUSED_SKEW = timedelta(minutes=5)
"""AWS takes no signature that is older, or not yet due."""
NOT_ALLOWED = frozenset({"AccessDenied", "AccessDeniedException"})
NOT_THERE = frozenset({
    "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "ResourceNotFoundException",
})  # fmt: skip


class Examination:
    """Of what the settings name."""

    def __init__(
        self,
        client: Callable[[str], Any],
        clock: Clock,
        *,
        table: str,
        queue: str,
        visibility: timedelta,
        patience: timedelta,
    ) -> None:
        """`client`: makes one for a service of AWS."""
        self._client = cache(client)
        self._clock = clock
        self._table = table
        self._queue = queue
        self._visibility = visibility
        self._patience = patience

    def findings(self) -> Iterator[Finding]:
        """What is found; where nobody is let in, no more than that."""
        try:
            identity = self._ask("sts", "get_caller_identity")
        except Misconfigured as error:
            yield Finding(Level.FAILURE, "AWS", str(error))
            return
        except StoreUnavailable as error:
            if isinstance(error.__cause__, Exception) and not is_passing(error.__cause__):
                yield Finding(Level.FAILURE, "credentials", str(error))
                yield from self._clock_by(_answer_of(error))
                return
            yield Finding(Level.WARNING, "credentials", f"whose they are cannot be asked: {error}")
        else:
            yield Finding(Level.OK, "credentials", identity["Arn"])
            yield from self._clock_by(identity)
        yield from self._on_table()
        yield from self._on_queue()

    def _clock_by(self, answer: Mapping[str, Any]) -> Iterator[Finding]:
        date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if date is None:
            return
        ahead = self._clock.now() - parsedate_to_datetime(date).astimezone(UTC)
        told = f"{abs(ahead.total_seconds()):.0f} s {'ahead of' if ahead > timedelta(0) else 'behind'} that of AWS"
        if abs(ahead) >= REFUSED_SKEW:
            yield Finding(Level.FAILURE, "clock", f"{told}, which takes no request like this: set it")
        elif abs(ahead) > SKEWED:
            yield Finding(Level.WARNING, "clock", f"{told}: run NTP")
        else:
            yield Finding(Level.OK, "clock", "it agrees with that of AWS")

    def _on_table(self) -> Iterator[Finding]:
        found: list[Finding] = []
        with _seen("table", f"{self._table} in this region", found):
            found += _of_table(self._ask("dynamodb", "describe_table", TableName=self._table)["Table"])
        yield from found
        if found[0].level is Level.FAILURE:
            return
        found = []
        with _seen("recovery", "of the table", found):
            told = self._ask("dynamodb", "describe_continuous_backups", TableName=self._table)
            point_in_time = told["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            found.append(_recovery(on=point_in_time["PointInTimeRecoveryStatus"] == "ENABLED"))
        with _seen("time to live", "of the table", found):
            told = self._ask("dynamodb", "describe_time_to_live", TableName=self._table)
            status = told["TimeToLiveDescription"]["TimeToLiveStatus"]
            found.append(_time_to_live(on=status in {"ENABLED", "ENABLING"}))
        yield from found

    def _on_queue(self) -> Iterator[Finding]:
        if not self._queue:
            yield Finding(
                Level.WARNING, "queue", "none is named: workers, and who looks at the backlog, need ACUSE_QUEUE"
            )
            return
        found: list[Finding] = []
        with _seen("queue", f"{self._queue} in this region", found):
            url = self._ask("sqs", "get_queue_url", QueueName=self._queue)["QueueUrl"]
            told = self._ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
            found += _of_queue(url, told, self._visibility)
        yield from found

    def _ask(self, service: str, call: str, **arguments: Any) -> Any:
        return patiently(self._patience, partial(getattr(self._client(service), call), **arguments))


@contextmanager
def _seen(subject: str, what: str, found: list[Finding]) -> Iterator[None]:
    """If it could not be seen, that is found."""
    try:
        yield
    except StoreUnavailable as error:
        code = code_of(error.__cause__) if isinstance(error.__cause__, ClientError) else ""
        if code in NOT_THERE:
            found.append(Finding(Level.FAILURE, subject, f"there is no {subject} {what}"))
        elif code in NOT_ALLOWED:
            found.append(Finding(Level.WARNING, subject, f"these credentials may not see it: {error}"))
        else:
            found.append(Finding(Level.FAILURE, subject, f"it cannot be reached: {error}"))


def _of_table(table: Mapping[str, Any]) -> Iterator[Finding]:
    name, status = table["TableName"], table["TableStatus"]
    if table["KeySchema"] != TABLE_KEYS:
        yield Finding(Level.FAILURE, "table", f"{name} has other keys than `id` and `_part`: it is not one for acuse")
    elif status not in {"ACTIVE", "UPDATING"}:
        yield Finding(Level.FAILURE, "table", f"{name} cannot be used: {status}")
    else:
        yield Finding(Level.OK, "table", f"{table['TableArn']} is {status.lower()}")
    stream = table.get("StreamSpecification", {})
    if stream.get("StreamEnabled") and stream.get("StreamViewType") == "NEW_AND_OLD_IMAGES":
        yield Finding(Level.OK, "stream", "it shows new and old images")
    else:
        yield Finding(Level.FAILURE, "stream", "the table needs one with new and old images, or nothing is queued")
    yield _index(next((one for one in table.get("GlobalSecondaryIndexes", []) if one["IndexName"] == INDEX), None))
    if table.get("DeletionProtectionEnabled"):
        yield Finding(Level.OK, "deletion", "the table is protected from it")
    else:
        yield Finding(Level.WARNING, "deletion", "nothing protects the table from it")


def _index(index: Mapping[str, Any] | None) -> Finding:
    if index is None:
        advice = f"the table has no index `{INDEX}`: to list what failed, the whole table is read, page by page"
        return Finding(Level.WARNING, "index", advice)
    if [one["AttributeName"] for one in index["KeySchema"]] != [SHARD, FAILED_AT]:
        advice = f"`{INDEX}` has other keys than `{SHARD}` and `{FAILED_AT}`: what failed cannot be listed by it"
        return Finding(Level.FAILURE, "index", advice)
    included = index["Projection"]
    if included["ProjectionType"] != "ALL" and not {*PROJECTED} <= {*included.get("NonKeyAttributes", ())}:
        advice = f"`{INDEX}` does not include `{'` and `'.join(PROJECTED)}`: what failed is not found by them"
        return Finding(Level.FAILURE, "index", advice)
    status = index.get("IndexStatus", "ACTIVE")
    if status not in {"ACTIVE", "UPDATING"}:
        return Finding(Level.WARNING, "index", f"`{INDEX}` cannot be used yet: {status}")
    return Finding(Level.OK, "index", f"`{INDEX}` lists what failed")


def _recovery(*, on: bool) -> Finding:
    if on:
        return Finding(Level.OK, "recovery", "the table can be restored as it was at any moment")
    return Finding(Level.WARNING, "recovery", "point-in-time recovery is off: what is deleted by mistake is gone")


def _time_to_live(*, on: bool) -> Finding:
    if on:
        return Finding(Level.FAILURE, "time to live", "it must be off: it deletes parts without their request")
    return Finding(Level.OK, "time to live", "it is off")


def _of_queue(url: str, told: Mapping[str, str], visibility: timedelta) -> Iterator[Finding]:
    if told.get("FifoQueue") == "true":
        yield Finding(Level.FAILURE, "queue", f"{url} is a FIFO queue; it must be a standard one")
    else:
        yield Finding(Level.OK, "queue", url)
    hidden = int(told["VisibilityTimeout"])
    if hidden < visibility.total_seconds():
        advice = f"the queue hides a message for {hidden} s, ACUSE_VISIBILITY is {visibility.total_seconds():g} s"
        yield Finding(Level.WARNING, "visibility", f"{advice}: what a function runs would be given to another")
    else:
        yield Finding(Level.OK, "visibility", f"the queue hides a message for {hidden} s")
    receives = int(json.loads(told.get("RedrivePolicy", "{}")).get("maxReceiveCount", 0))
    if not receives:
        advice = "the queue has no queue for them: what is received again and again is never ended as failed"
        yield Finding(Level.WARNING, "dead letters", advice)
    elif receives < FEWEST_RECEIVES:
        advice = (
            f"after {receives} receives; it should be {FEWEST_RECEIVES} at least, and more than any action has attempts"
        )
        yield Finding(Level.WARNING, "dead letters", advice)
    else:
        yield Finding(Level.OK, "dead letters", f"after {receives} receives")


def _answer_of(error: StoreUnavailable) -> Mapping[str, Any]:
    return error.__cause__.response if isinstance(error.__cause__, ClientError) else {}
