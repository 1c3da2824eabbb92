"""What comes between two calls of a purge of DynamoDB, and what goes wrong on the wire meanwhile."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from infra.local_aws import CREDENTIALS

from acuse.adapters.aws import calls
from acuse.adapters.aws.message import Message
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.domain.delivery import Delivery, Ending
from acuse.domain.errors import StoreUnavailable
from acuse.domain.outcome import Added
from acuse.domain.record import Failure, Key, Progress, Reason, Status
from tests.aws.faults import Broken, Fault, FaultProxy, PartlyThrottled, ResetAfter, ResetBefore, Throttle
from tests.aws.local import local_aws
from tests.clock import StillClock
from tests.contract.aws import create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

A_WHILE = timedelta(seconds=60)
FAILURE = Failure(Reason.RAISED, "no")
PARTS = 5


class Intruded:
    """A client that lets somebody else come before its next call of one kind."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._before: dict[str, Callable[[], object]] = {}

    def before(self, call: str, intrude: Callable[[], object]) -> None:
        self._before[call] = intrude

    def __getattr__(self, name: str) -> Any:
        if intrude := self._before.pop(name, None):
            intrude()
        return getattr(self._client, name)


class Bench:
    """Two stores over one table: of one the calls are intruded upon, by what the other does."""

    def __init__(self, client: Any) -> None:
        self.clock = StillClock()
        self.name = f"acuse-{uuid.uuid4()}"
        create_table(local_aws().client("dynamodb"), self.name)
        self.intruded = Intruded(client)
        self.store = self.store_over(self.intruded)
        self.other = self.store_over(local_aws().client("dynamodb"))

    def store_over(self, client: Any) -> DynamoStore:
        return DynamoStore(Table(client, self.name, patience=timedelta(seconds=10), in_flight=1), self.clock)

    def end(self, id_: str, *parts: int, plan: int = 0, failed: bool = False) -> None:
        at, error = self.clock.now(), FAILURE if failed else None
        deliveries = [delivery(Key(id_, part), plan) for part in parts]
        endings = [Ending(delivery=one, at=at, result=None if failed else b"1", error=error) for one in deliveries]
        assert self.other.settle(endings) == [True] * len(endings)

    def added(self, id_: str = "") -> str:
        one = record(self.clock.now(), **({"id": id_} if id_ else {}))
        assert self.other.add([one]) == [Added(one)]
        return one.id

    def failed(self) -> str:
        """A request that failed some time ago."""
        id_ = self.added()
        self.end(id_, 0, failed=True)
        self.clock.advance(A_WHILE)
        return id_

    def merged(self, id_: str = "", *, failed: bool = True) -> str:
        """A split request whose last part, and so the merge, failed some time ago, if so it should be."""
        id_ = self.added(id_)
        assert self.other.plan(delivery(Key(id_)), [b"1"] * PARTS)
        self.end(id_, *range(1, PARTS), plan=1)
        self.end(id_, PARTS, plan=1, failed=failed)
        self.end(id_, 0, plan=1, failed=failed)
        self.clock.advance(A_WHILE)
        return id_

    def parts(self, id_: str) -> int:
        return len(self.other.parts([Key(id_, part) for part in range(1, PARTS + 1)]))

    def purge(self, limit: int = 100) -> tuple[int, int]:
        requests, parts, after = 0, 0, None
        while True:
            step = self.store.purge(self.clock.now(), limit, after, dry=False)
            requests, parts = requests + step.requests, parts + step.parts
            if (after := step.next) is None:
                return requests, parts


def dies() -> None:
    raise StoreUnavailable("killed")


def delivery(key: Key, plan: int = 0) -> Delivery:
    return Message(id=key.id, part=key.part, action="delay", turn=plan).delivery("receipt", 1)


@pytest.fixture
def bench() -> Bench:
    return Bench(local_aws().client("dynamodb"))


def test_a_request_that_is_opened_again_just_before_it_would_go_stays(bench: Bench) -> None:
    id_ = bench.failed()
    bench.intruded.before("batch_execute_statement", lambda: bench.other.reopen([id_]))

    assert bench.purge() == (0, 0)

    assert bench.other.get([id_])[id_].status is Status.ACCEPTED


def test_a_request_that_fails_again_just_before_it_would_go_stays(bench: Bench) -> None:
    id_ = bench.failed()

    def fails_again() -> None:
        assert bench.other.reopen([id_]) == [True]
        bench.end(id_, 0, plan=1, failed=True)

    bench.intruded.before("batch_execute_statement", fails_again)

    assert bench.purge() == (0, 0)

    assert bench.other.get([id_])[id_].status is Status.FAILED


@pytest.mark.parametrize("call", ["query", "update_item"])
@pytest.mark.parametrize("limit", [3, 100])
def test_a_split_request_that_is_opened_again_before_its_first_part_goes_stays_whole(
    bench: Bench, call: str, limit: int
) -> None:
    id_ = bench.merged()
    bench.intruded.before(call, lambda: bench.other.reopen([id_]))

    assert bench.purge(limit) == (0, 0)

    assert bench.other.get([id_])[id_].status is Status.ACCEPTED
    assert bench.parts(id_) == PARTS
    bench.end(id_, PARTS, plan=2)
    bench.end(id_, 0, plan=2)


@pytest.mark.parametrize("limit", [3, 100])
def test_a_split_request_whose_parts_go_is_not_opened_again(bench: Bench, limit: int) -> None:
    id_ = bench.merged()
    reopened: list[bool] = []
    bench.intruded.before("batch_execute_statement", lambda: reopened.extend(bench.other.reopen([id_])))

    assert bench.purge(limit) == (1, PARTS)

    assert reopened == [False]
    assert bench.other.get([id_]) == {}
    assert bench.parts(id_) == 0


@pytest.mark.parametrize(("limit", "parts"), [(3, 3), (100, PARTS)])
def test_a_split_request_that_goes_while_it_is_opened_again_is_not_opened(bench: Bench, limit: int, parts: int) -> None:
    id_ = bench.merged()
    bench.intruded.before("update_item", lambda: bench.other.purge(bench.clock.now(), limit, None, dry=False))

    assert bench.store.reopen([id_]) == [False]

    assert bench.parts(id_) == PARTS - parts
    assert bench.purge() == (int(parts < PARTS), PARTS - parts)


@pytest.mark.parametrize("call", ["scan", "query", "update_item"])
def test_what_is_half_opened_again_stays_until_it_has_been_opened(bench: Bench, call: str) -> None:
    id_ = bench.merged()

    def opens_half() -> None:
        client = Intruded(local_aws().client("dynamodb"))
        client.before("batch_execute_statement", dies)
        with pytest.raises(StoreUnavailable):
            bench.store_over(client).reopen([id_])

    bench.intruded.before(call, opens_half)

    assert bench.purge() == (0, 0)

    assert bench.parts(id_) == PARTS
    assert bench.store.reopen([id_]) == [True]
    bench.end(id_, PARTS, plan=3)
    bench.end(id_, 0, plan=3)
    bench.clock.advance(A_WHILE)
    assert bench.purge() == (1, PARTS)


@pytest.mark.parametrize("limit", [3, 100])
def test_what_went_and_came_again_meanwhile_stays(bench: Bench, limit: int) -> None:
    id_ = bench.merged(failed=False)

    def goes_and_comes() -> None:
        assert bench.other.purge(bench.clock.now(), 100, None, dry=False).requests == 1
        bench.clock.advance(A_WHILE)
        bench.added(id_)
        assert bench.other.plan(delivery(Key(id_)), [b"2"] * PARTS)

    bench.intruded.before("batch_execute_statement", goes_and_comes)

    assert bench.store.purge(bench.clock.now(), limit, None, dry=False).requests == 0

    assert bench.other.get([id_])[id_].progress == Progress(parts=PARTS, left=PARTS, failed=0)
    assert bench.parts(id_) == PARTS


def test_what_went_and_came_again_and_failed_meanwhile_can_be_opened_again(bench: Bench) -> None:
    id_ = bench.merged()

    def goes_and_comes() -> None:
        assert bench.other.purge(bench.clock.now(), 100, None, dry=False).requests == 1
        bench.merged(id_)

    bench.intruded.before("update_item", goes_and_comes)

    assert bench.store.purge(bench.clock.now(), 100, None, dry=False).requests == 0

    assert bench.parts(id_) == PARTS
    assert bench.other.reopen([id_]) == [True]


def test_the_parts_of_a_plan_that_was_never_finished_go_with_their_request(bench: Bench) -> None:
    id_ = bench.added()
    bench.intruded.before("batch_execute_statement", lambda: bench.intruded.before("update_item", dies))
    with pytest.raises(StoreUnavailable):
        bench.store.plan(delivery(Key(id_)), [b"1"] * PARTS)
    bench.end(id_, 0, failed=True)
    bench.clock.advance(A_WHILE)
    assert bench.parts(id_) == PARTS

    assert bench.store.purge(bench.clock.now(), 100, None, dry=True).parts == PARTS
    assert bench.purge(3) == (1, PARTS)

    assert bench.parts(id_) == 0


def test_keys_and_permits_stay(bench: Bench) -> None:
    client = local_aws().client("dynamodb")
    for id_ in ("_keys", "concurrency of sums"):
        client.put_item(TableName=bench.name, Item={"id": {"S": id_}, "_part": {"N": "-1"}, "n": {"N": "1"}})

    assert bench.purge() == (0, 0)

    assert client.scan(TableName=bench.name)["Count"] == 2


class Faulty(Bench):
    """The calls go through a proxy."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(calls.client("dynamodb", in_flight=1))


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    with FaultProxy(local_aws().url) as proxy:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url}.items():
            monkeypatch.setenv(name, value)
        yield Faulty(proxy)


@pytest.mark.parametrize("fault", [Throttle(), Broken(), ResetBefore(), ResetAfter()], ids=repr)
def test_it_comes_to_its_end_under_a_fault(faulty: Faulty, fault: Fault) -> None:
    ids = [faulty.failed(), faulty.merged(), faulty.merged(failed=False)]
    for call in ("Scan", "Query", "UpdateItem", "BatchExecuteStatement"):
        faulty.proxy.plan(call, fault)
    faulty.proxy.plan("BatchExecuteStatement", PartlyThrottled([0]))

    assert faulty.purge() == (3, 2 * PARTS)

    assert faulty.proxy.met == 5
    assert faulty.other.get(ids) == {}
    assert sum(faulty.parts(id_) for id_ in ids) == 0


def test_what_cannot_be_reached_is_unavailable_and_goes_by_a_later_purge(faulty: Faulty) -> None:
    id_ = faulty.merged()
    faulty.store = DynamoStore(
        Table(calls.client("dynamodb", in_flight=1), faulty.name, patience=timedelta(0), in_flight=1), faulty.clock
    )
    for call, parts_left in (("Scan", PARTS), ("Query", PARTS), ("UpdateItem", PARTS), ("BatchExecuteStatement", 2)):
        faulty.proxy.always(call, Throttle() if call != "BatchExecuteStatement" else PartlyThrottled([0, 1, 2]))
        with pytest.raises(StoreUnavailable):
            faulty.purge()
        assert faulty.parts(id_) == parts_left
        assert faulty.other.get([id_])[id_].status is Status.FAILED
        faulty.proxy.clear()

    assert faulty.purge() == (1, 2)
