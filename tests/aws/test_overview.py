"""What people look at over DynamoDB and SQS, where it is otherwise than in other stores: order, index, age."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSResponse

from acuse.adapters.aws import failed, listing
from acuse.adapters.aws.backend import AwsBackend
from acuse.adapters.aws.failed import INDEX, SHARDS, shard_of
from acuse.adapters.aws.load import PERIOD, PERIODS, Oldest, load
from acuse.adapters.aws.message import encode
from acuse.adapters.aws.overview import AwsOverview
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.clock import SystemClock
from acuse.domain.delivery import Ending
from acuse.domain.errors import Misconfigured, StoreUnavailable
from acuse.domain.listing import MAX_PAGE_BYTES, Filter, Order
from acuse.domain.record import Failure, Key, Reason, Status
from tests.aws.local import local_aws
from tests.aws.stage import PATIENCE, Stage, closed_port, delivery, due
from tests.clock import StillClock
from tests.contract.aws import create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from acuse.adapters.aws.items import Item
    from acuse.domain.listing import Page
    from acuse.domain.record import Record

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
FAILURE = Failure(Reason.RAISED, "no")
FAILED = Filter(status=Status.FAILED)
WITHOUT_INDEX = "without index"
REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference" / "aws.md"


class House:
    """A table of its own, and what failed in it."""

    def __init__(self, table: Table, dynamodb: Any) -> None:
        self.table = table
        self.dynamodb = dynamodb
        self.store = DynamoStore(table, SystemClock())
        self.overview = AwsOverview(table, SystemClock(), no_queue)

    def failed(self, at: Sequence[datetime], **members: Any) -> list[Record]:
        """One that failed at each of those times, as it is stored."""
        new = [record(BEGAN, **members) for _ in at]
        self.store.add(new)
        self.fail({one.id: moment for one, moment in zip(new, at, strict=True)})
        stored = self.store.get([one.id for one in new])
        return [stored[one.id] for one in new]

    def fail(self, times: dict[str, datetime], turn: int = 0) -> None:
        endings = [Ending(delivery=delivery(Key(id_), turn), at=at, error=FAILURE) for id_, at in times.items()]
        assert all(self.store.settle(endings))

    def pages(self, wanted: Filter = FAILED, limit: int = 10) -> Iterator[Page]:
        after: str | None = None
        while True:
            page = self.overview.find(wanted, limit, after)
            assert len(page.records) <= limit
            yield page
            after = page.next
            if after is None:
                return

    def found(self, wanted: Filter = FAILED, limit: int = 10) -> list[Record]:
        return [one for page in self.pages(wanted, limit) for one in page.records]


class LateIndex(Table):
    """Whatever is to happen happens when the index has been read."""

    meanwhile: Callable[[], object] | None = None

    def page_of_query(self, *asked: Any, **options: Any) -> tuple[list[Item], Item | None]:
        answer = super().page_of_query(*asked, **options)
        if options.get("IndexName") == INDEX and self.meanwhile and answer[0]:
            happens, self.meanwhile = self.meanwhile, None
            happens()
        return answer


def made_index() -> tuple[Any, Any]:
    """As the tests' own tables have it."""
    dynamodb, name = local_aws(still=True).client("dynamodb"), f"made-{uuid.uuid4()}"
    create_table(dynamodb, name)
    [index] = dynamodb.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]
    dynamodb.delete_table(TableName=name)
    return index["KeySchema"], index["Projection"]


def no_queue() -> Any:
    raise Misconfigured("there is no queue")


@pytest.fixture
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    dynamodb, name = local_aws(still=True).client("dynamodb", max_pool_connections=SHARDS), f"house-{uuid.uuid4()}"
    create_table(dynamodb, name)
    if getattr(request, "param", "") == WITHOUT_INDEX:
        dynamodb.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": INDEX}}])
    yield House(LateIndex(dynamodb, name, patience=PATIENCE, in_flight=SHARDS), dynamodb)
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def looks_at_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a page, at least, where not all is wanted."""
    monkeypatch.setattr(failed, "LOOKED_AT", 10)
    monkeypatch.setattr(listing, "LOOKED_AT", 100)


@pytest.mark.parametrize("limit", [1, 10, 100])
def test_what_failed_is_listed_last_failed_first(house: House, limit: int) -> None:
    times = [BEGAN + number * SECOND for number in range(40)]
    Random(limit).shuffle(times)
    there = house.failed(times)
    house.store.add([record(BEGAN) for _ in range(5)])

    pages = list(house.pages(limit=limit))

    listed = [one for page in pages for one in page.records]
    assert listed == sorted(there, key=lambda one: str(one.finished_at), reverse=True)
    assert {page.order for page in pages} == {Order.LAST_FAILED}


@pytest.mark.parametrize("limit", [2, 7, 50])
def test_those_that_failed_at_one_moment_come_once_each(house: House, limit: int) -> None:
    there = house.failed([BEGAN + TICK] * 40 + [BEGAN] * 3 + [BEGAN + SECOND] * 3)
    assert len({shard_of(one.id) for one in there}) > SHARDS // 2

    listed = house.found(limit=limit)

    assert sorted(one.id for one in listed) == sorted(one.id for one in there)
    assert [one.finished_at for one in listed] == sorted((one.finished_at for one in there), key=str, reverse=True)


def test_the_order_holds_where_most_have_their_place_together(house: House) -> None:
    """More of one shard than a page looks at, and one of another that failed before all of them but the first."""
    new = [record(BEGAN) for _ in range(500)]
    together = [one for one in new if shard_of(one.id) == 3][:30]
    [apart] = [one for one in new if shard_of(one.id) == 7][:1]
    house.store.add([*together, apart])
    times = {one.id: BEGAN + number * SECOND for number, one in enumerate(together)}
    house.fail(times | {apart.id: BEGAN + TICK})

    pages = list(house.pages(limit=50))

    assert [one.id for page in pages for one in page.records] == [
        *(one.id for one in reversed(together[1:])), apart.id, together[0].id,
    ]  # fmt: skip
    assert len(pages) > 1


@pytest.mark.parametrize("limit", [1, 5])
def test_each_comes_once_while_others_fail_are_opened_again_and_go(house: House, limit: int) -> None:
    there = house.failed([BEGAN + number * SECOND for number in range(30)])
    comes_and_goes = there[1::3]
    stays = {one.id for one in there} - {one.id for one in comes_and_goes}

    listed: list[str] = []
    for page in house.pages(limit=limit):
        listed += [one.id for one in page.records]
        house.failed([BEGAN + timedelta(hours=1), BEGAN - SECOND])
        if comes_and_goes:
            house.store.reopen([comes_and_goes.pop().id])
        if len(listed) > 200:
            break

    assert len(set(listed)) == len(listed)
    assert set(listed) >= stays


@pytest.mark.usefixtures("looks_at_few")
def test_what_failed_is_found_by_what_it_is_also_if_it_is_far_back(house: House) -> None:
    sought = house.failed([BEGAN + TICK], action="a")
    others = house.failed([BEGAN + number * SECOND for number in range(1, 150)], action="z")

    assert house.found(Filter(status=Status.FAILED, action="a"), 20) == sought
    assert house.found(Filter(status=Status.FAILED, action="b"), 20) == []
    assert house.found(Filter(status=Status.FAILED, action="z", until=BEGAN), 20) == []
    assert len(house.found(Filter(status=Status.FAILED, action="z", since=BEGAN), 20)) == len(others)


@pytest.mark.usefixtures("looks_at_few")
def test_what_ended_before_the_time_that_is_asked_for_is_not_looked_at(house: House) -> None:
    """Nothing ends before it is created. So the list ends there, however much is left."""
    house.failed([BEGAN + number * TICK for number in range(200)])

    assert len(list(house.pages(Filter(status=Status.FAILED, since=BEGAN)))) > 1
    assert len(list(house.pages(Filter(status=Status.FAILED, since=BEGAN + SECOND)))) == 1


def test_what_is_opened_again_meanwhile_is_not_shown_as_failed(house: House) -> None:
    one, other, third = house.failed([BEGAN + number * SECOND for number in range(3)])
    assert isinstance(house.table, LateIndex)
    house.table.meanwhile = lambda: house.store.reopen([other.id])

    assert house.found() == [third, one]


def test_what_finished_meanwhile_at_the_very_time_is_not_shown_as_failed(house: House) -> None:
    [one] = house.failed([BEGAN])

    def finish() -> None:
        assert house.store.reopen([one.id]) == [True]
        assert house.store.settle([Ending(delivery=delivery(Key(one.id), 1), at=BEGAN, result=b"1")]) == [True]

    assert isinstance(house.table, LateIndex)
    house.table.meanwhile = finish

    assert house.found() == []


def test_what_failed_again_meanwhile_is_shown_where_it_is_now(house: House) -> None:
    one, other = house.failed([BEGAN, BEGAN + SECOND])

    def again() -> None:
        assert house.store.reopen([other.id]) == [True]
        house.fail({other.id: BEGAN + 2 * SECOND}, turn=1)

    assert isinstance(house.table, LateIndex)
    house.table.meanwhile = again

    assert house.found() == [one]
    assert [found.id for found in house.found()] == [other.id, one.id]


def test_what_finished_at_last_leaves_nothing_in_the_index(house: House) -> None:
    [one] = house.failed([BEGAN])
    assert house.store.reopen([one.id]) == [True]
    assert house.store.settle([Ending(delivery=delivery(Key(one.id), 1), at=BEGAN, result=b"1")]) == [True]

    assert house.dynamodb.scan(TableName=house.table.name, IndexName=INDEX)["Items"] == []


def test_a_split_request_that_failed_has_its_place_and_its_parts_have_none(house: House) -> None:
    new = record(BEGAN)
    house.store.add([new])
    assert house.store.plan(delivery(Key(new.id)), [b"1", b"2"])
    parts = [Ending(delivery=delivery(Key(new.id, part), 1), at=BEGAN, error=FAILURE) for part in (1, 2)]
    assert house.store.settle(parts) == [True, True]
    assert house.found() == []

    house.fail({new.id: BEGAN}, turn=1)
    assert [one.id for one in house.found()] == [new.id]

    assert house.store.reopen([new.id]) == [True]
    assert house.found() == []


def test_a_page_of_what_failed_ends_when_it_is_large(house: House) -> None:
    there = [house.failed([BEGAN + number * SECOND], note="x" * 250_000)[0] for number in range(20)]

    pages = list(house.pages(limit=100))

    assert [one.id for page in pages for one in page.records] == [one.id for one in reversed(there)]
    assert len(pages) == 2
    assert sum(len(one.body) for one in pages[0].records[:-1]) < MAX_PAGE_BYTES


def test_a_page_in_no_order_ends_when_it_is_large(house: House) -> None:
    there = [record(BEGAN, note="x" * 250_000) for _ in range(20)]
    house.store.add(there[:10])
    house.store.add(there[10:])

    pages = list(house.pages(Filter(), limit=20))

    assert sorted(one.id for page in pages for one in page.records) == sorted(one.id for one in there)
    assert all(sum(len(one.body) for one in page.records[:-1]) < MAX_PAGE_BYTES for page in pages)


@pytest.mark.parametrize("house", [WITHOUT_INDEX], indirect=True)
def test_without_the_index_what_failed_is_looked_for_in_the_whole_table(house: House) -> None:
    there = house.failed([BEGAN + number * SECOND for number in range(15)])
    house.store.add([record(BEGAN) for _ in range(5)])

    pages = list(house.pages(limit=4))

    assert sorted(one.id for page in pages for one in page.records) == sorted(one.id for one in there)
    assert {page.order for page in pages} == {Order.NONE}


def test_while_the_index_is_filled_what_failed_is_looked_for_in_the_whole_table(house: House) -> None:
    """It is deployed by then, for CloudFormation waits for the index to be made and not for it to be filled."""
    [there] = house.failed([BEGAN])

    def refuse(params: dict[str, Any], **_: object) -> object:
        if b'"IndexName"' not in params["body"]:
            return None
        told = "Cannot read from backfilling global secondary index: failed"
        return AWSResponse("", 400, {}, None), {"Error": {"Code": "ValidationException", "Message": told}}

    house.dynamodb.meta.events.register("before-call.dynamodb.Query", refuse)

    page = house.overview.find(FAILED, 10, None)
    assert (page.records, page.order) == ([there], Order.NONE)


@pytest.mark.parametrize("house", [WITHOUT_INDEX], indirect=True)
def test_the_index_is_added_in_place_as_the_reference_says(house: House) -> None:
    [before] = house.failed([BEGAN])
    [told] = re.findall(r"--global-secondary-index-updates '(.*?)'", REFERENCE.read_text(), re.DOTALL)
    [attributes] = re.findall(r"--attribute-definitions (.*?) \\\n", REFERENCE.read_text())

    house.dynamodb.update_table(
        TableName=house.table.name,
        AttributeDefinitions=[dict(one.split("=") for one in each.split(",")) for each in attributes.split()],
        GlobalSecondaryIndexUpdates=json.loads(told),
    )

    [after] = house.failed([BEGAN + SECOND])
    pages = list(house.pages())
    assert [one.id for page in pages for one in page.records] == [after.id, before.id]
    assert {page.order for page in pages} == {Order.LAST_FAILED}
    described = house.dynamodb.describe_table(TableName=house.table.name)["Table"]["GlobalSecondaryIndexes"]
    assert [(one["KeySchema"], one["Projection"]) for one in described] == [made_index()]


def test_a_list_that_began_without_the_index_goes_on_so_when_it_is_there(house: House) -> None:
    there = house.failed([BEGAN + number * SECOND for number in range(9)])
    bare = House(Table(house.dynamodb, house.table.name, patience=PATIENCE, in_flight=1), house.dynamodb)
    first = bare.overview.find(Filter(), 4, None)
    assert first.order is Order.NONE

    rest = house.overview.find(FAILED, 100, first.next)

    assert rest.order is Order.NONE
    assert sorted(one.id for one in (*first.records, *rest.records)) == sorted(one.id for one in there)


@pytest.mark.parametrize(
    "after",
    [
        "failed", "failed/", "failed/2026-01-01T00:00:00.000000Z/",
        "failed/2026-01-01/0192f0c1-0000-7000-8000-000000000001",
        "failed/2026-01-01T00:00:00.000000Z/0192f0c1-0000-7000-8000-00000000000Z",
        "scan", "scan/", "scan/x/y", "scan/0/", "scan/0/\ud800", "scan/0/a\nb",
        f"scan/0/{'x' * 256}", "scan/" + "9" * 10 + "/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("wanted", [FAILED, Filter()], ids=["failed", "all"])
def test_where_no_page_of_this_store_ended_none_begins(stage: Stage, wanted: Filter, after: str) -> None:
    with pytest.raises(Misconfigured):
        AwsOverview(stage.table, SystemClock(), no_queue).find(wanted, 1, after)


def test_a_page_of_what_failed_goes_on_for_what_failed_only(house: House) -> None:
    house.failed([BEGAN, BEGAN])
    after = house.overview.find(FAILED, 1, None).next

    with pytest.raises(Misconfigured):
        house.overview.find(Filter(), 1, after)


@pytest.mark.usefixtures("looks_at_few")
def test_a_list_of_few_among_many_comes_in_pages_that_are_bounded_in_what_they_look_at(house: House) -> None:
    house.store.add([record(BEGAN) for _ in range(250)])
    sought = record(BEGAN, action="a")
    house.store.add([sought])

    pages = list(house.pages(Filter(action="a"), limit=10))

    assert [one.id for page in pages for one in page.records] == [sought.id]
    assert 1 < len(pages) < 5


@pytest.mark.parametrize("limit", [10, 50])
def test_what_is_read_for_one_page_is_not_read_again_for_the_next(house: House, limit: int) -> None:
    house.store.add([record(BEGAN, action="a" if place % 20 else "z") for place in range(400)])
    read: list[int] = []
    house.dynamodb.meta.events.register("after-call.dynamodb.Scan", lambda parsed, **_: read.append(parsed["Count"]))

    for action in ("a", "z"):
        read.clear()
        found = house.found(Filter(action=action), limit)
        assert len(found) <= sum(read) < 1.3 * len(found)


def test_few_calls_find_out_that_there_is_no_more_to_fill_a_page(house: House) -> None:
    house.store.add([record(BEGAN) for _ in range(400)])
    ended = house.found(Filter(), 400)[:9]
    assert all(house.store.settle([Ending(delivery=delivery(Key(one.id), 0), at=BEGAN, result=b"1") for one in ended]))
    calls: list[int] = []
    house.dynamodb.meta.events.register("after-call.dynamodb.Scan", lambda parsed, **_: calls.append(parsed["Count"]))

    found = house.found(Filter(status=Status.FINISHED), 10)

    assert [one.id for one in found] == [one.id for one in ended]
    assert len(calls) < 12


def measured(stage: Stage, at: datetime, age: float) -> None:
    """CloudWatch has that age for the minute."""
    stage.aws.client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": stage.name}],
                "Timestamp": at,
                "Value": age,
                "Unit": "Seconds",
            }
        ],
    )


def test_the_oldest_is_as_old_as_cloudwatch_says_and_is_asked_for_once_a_minute(stage: Stage) -> None:
    clock = StillClock()
    clock.time = datetime.now(UTC).replace(second=30, microsecond=0)
    minute = clock.time.replace(second=0)
    asked: list[None] = []

    def cloudwatch() -> Any:
        asked.append(None)
        return stage.aws.client("cloudwatch")

    told = partial(load, stage.sqs, stage.url, PATIENCE, Oldest(cloudwatch, stage.name, clock).since)
    assert told().oldest is None
    assert asked == []

    stage.sqs.send_message(QueueUrl=stage.url, MessageBody=encode(due(record())).decode())
    assert (told().waiting, told().oldest) == (1, None)
    measured(stage, minute - 2 * PERIOD, 700)
    measured(stage, minute - PERIOD, 600)
    assert told().oldest is None
    assert len(asked) == 1

    clock.advance(PERIOD)
    assert {told().oldest for _ in range(3)} == {minute - timedelta(seconds=600)}
    assert len(asked) == 2

    clock.advance((PERIODS + 1) * PERIOD)
    assert told().oldest is None


def test_where_cloudwatch_may_not_be_asked_the_rest_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage.sqs.send_message(QueueUrl=stage.url, MessageBody=encode(due(record())).decode())
    with closed_port() as nowhere:
        for name, value in (stage.environment() | {"AWS_ENDPOINT_URL_CLOUDWATCH": nowhere}).items():
            monkeypatch.setenv(name, value)
        with caplog.at_level("INFO", "acuse"):
            total = backend(stage.name, stage.name).overview.backlog().total

    assert (total.waiting, total.oldest) == (1, None)
    assert "how old the oldest message is cannot be seen" in caplog.text


def backend(table: str, queue: str) -> AwsBackend:
    return AwsBackend(
        SystemClock(),
        table=table,
        queue=queue and f"sqs://{queue}",
        lease=timedelta(seconds=30),
        patience=timedelta(0),
        in_flight=2,
        bounds=dict,
        postpone=timedelta(0),
    )


@pytest.mark.parametrize("queue", ["", "nowhere"])
def test_without_a_queue_records_are_found_and_the_backlog_cannot_be_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    new = stage.add("echo")
    for name, value in stage.environment().items():
        monkeypatch.setenv(name, value)
    overview = backend(stage.name, queue).overview

    listed: list[str] = []
    after: str | None = None
    while not listed or after:
        page = overview.find(Filter(), 100, after)
        listed, after = listed + [one.id for one in page.records], page.next

    assert new.id in listed
    with pytest.raises(StoreUnavailable, match="queue"):
        overview.backlog()
