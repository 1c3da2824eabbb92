"""What the relay adds to the tallies, under the real runtime client; and what misfortunes do to them."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from acuse.adapters.aws import calls
from acuse.adapters.aws.counts import come_to_pass, tallies_of
from acuse.adapters.aws.tallies import AHEAD, LANES, PREFIX, SPANS, Tallies, tallied
from acuse.domain.errors import StoreUnavailable
from acuse.domain.record import Failure, Key, Reason, Status
from acuse.domain.tally import KEPT, SPAN, Tally
from tests.aws.faults import BrokenAfter, Denied, Fault, FaultProxy, ResetAfter, Throttle
from tests.aws.stage import Stage, due

if TYPE_CHECKING:
    from tests.aws.runtime import Function

FAILURE = Failure(Reason.RAISED, "no")
WRITES = ("PutItem", "UpdateItem")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """Nothing was counted yet."""
    dynamodb = stage.aws.client("dynamodb")
    for item in dynamodb.scan(TableName=stage.name)["Items"]:
        if item["id"]["S"].startswith(PREFIX):
            dynamodb.delete_item(TableName=stage.name, Key={name: item[name] for name in ("id", "_part")})
    stage.all_changes()
    return stage


@pytest.fixture
def tallies(stage: Stage) -> Tallies:
    return Tallies(stage.aws.client("dynamodb"), stage.name, lane=0)


def through(proxy: FaultProxy, stage: Stage) -> Any:
    """A client as the service makes it."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in stage.environment(proxy.url).items():
            environment.setenv(name, value)
        return calls.client("dynamodb", in_flight=1)


def counted(stage: Stage, now: datetime | None = None) -> Counter[tuple[str, Status]]:
    now = now or datetime.now(UTC)
    found: Counter[tuple[str, Status]] = Counter()
    for one in tallied(stage.table, now - KEPT, now):
        found[one.action, one.status] += one.count
    return found


def tally(at: datetime = BEGAN, count: int = 1, action: str = "delay", bound: int = 0) -> Tally:
    return Tally(at=at, action=action, status=Status.ACCEPTED, bound=bound, count=count)


def test_the_relay_counts_what_comes_to_pass(stage: Stage, relay: Function) -> None:
    requests = [stage.add("echo") for _ in range(3)] + [stage.planned("sums", 2, upto=2)]
    relay.invoke({"Records": stage.changes()})
    stage.end(Key(requests[0].id), plan=0)
    stage.end(Key(requests[1].id), plan=0, error=FAILURE)
    relay.invoke({"Records": stage.changes()})

    assert counted(stage) == {
        ("echo", Status.ACCEPTED): 3, ("echo", Status.FINISHED): 1, ("echo", Status.FAILED): 1,
        ("sums", Status.ACCEPTED): 1,
    }  # fmt: skip


def test_what_the_relay_wrote_itself_calls_for_nothing_and_is_not_counted(
    stage: Stage, proxy: FaultProxy, strained: Function
) -> None:
    stage.add("echo")
    strained.invoke({"Records": stage.changes()})
    own = stage.all_changes()
    assert [one["dynamodb"]["Keys"]["id"]["S"][:-1] for one in own] == [PREFIX]
    proxy.calls.clear()

    assert strained.invoke({"Records": own}) is None

    assert proxy.calls == []
    assert stage.all_changes() == []


@pytest.mark.parametrize("fault", [Throttle(), Denied(), ResetAfter(), BrokenAfter(503)])
def test_what_cannot_be_counted_is_told_and_the_batch_is_done(
    stage: Stage, proxy: FaultProxy, strained: Function, fault: Fault
) -> None:
    requests = [stage.add("echo") for _ in range(3)]
    for call in WRITES:
        proxy.always(call, fault)
    proxy.calls.clear()
    before = len(strained.log)

    assert strained.invoke({"Records": stage.changes()}) is None

    proxy.clear()
    assert stage.sent() == [due(one) for one in requests]
    assert len([call for call in proxy.calls if call in WRITES]) == 1, "it was tried again"
    assert "a batch is missing from the tallies changes=3" in strained.log[before:]


def test_a_write_whose_answer_got_lost_counts_once(stage: Stage, proxy: FaultProxy) -> None:
    tallies = Tallies(through(proxy, stage), stage.name, lane=0)
    for write in WRITES:
        tallies.add([tally(BEGAN - SPAN)])
        proxy.plan(write, ResetAfter())
        with pytest.raises(StoreUnavailable):
            tallies.add([tally()])
        tallies.add([tally()])

    assert counted(stage, BEGAN) == {("delay", Status.ACCEPTED): 6}


def test_many_who_add_at_once_count_each(stage: Stage) -> None:
    lanes = [Tallies(stage.aws.client("dynamodb"), stage.name, lane=lane) for lane in range(2 * LANES)]

    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(lambda one: one.add([tally(), tally(action="a")]), 10 * lanes))

    assert counted(stage, BEGAN) == {("delay", Status.ACCEPTED): 80, ("a", Status.ACCEPTED): 80}


def test_an_item_is_used_anew_and_what_comes_too_late_for_it_is_dropped(stage: Stage, tallies: Tallies) -> None:
    later = BEGAN + SPANS * SPAN
    tallies.add([tally(count=5, action="a"), tally(later, count=2)])
    tallies.add([tally(count=7), tally(later)])

    assert counted(stage, later) == {("delay", Status.ACCEPTED): 3}
    assert len(list(stage.table.query("#id = :id", {"id": {"S": f"{PREFIX}0"}}))) == 1


def test_the_ring_holds_an_hour_wherever_it_begins(stage: Stage, tallies: Tallies) -> None:
    for first in (0, 1, SPANS // 2, SPANS - 1):
        now = BEGAN + first * SPAN
        spans = [now - KEPT + place * SPAN for place in range((KEPT + AHEAD) // SPAN + 1)]
        tallies.add(tally(at) for at in spans)

        assert sorted(one.at for one in tallied(stage.table, now - 2 * KEPT, now)) == spans
        for since in (now - KEPT, now - SPAN, now - SPAN / 2, now, now + AHEAD):
            assert sorted(one.at for one in tallied(stage.table, since, now)) == [at for at in spans if at >= since]
        assert tallied(stage.table, now + AHEAD + SPAN, now) == []


def test_any_action_can_be_counted(stage: Stage, tallies: Tallies) -> None:
    actions = ["a b", "#n0", ":v0", "at", "é😀", "x" * 200, "a.b[0]", "id"]

    for _ in range(2):
        tallies.add(tally(action=action, bound=bound) for action in actions for bound in (0, 19))

    found = tallied(stage.table, BEGAN, BEGAN)
    assert {(one.action, one.bound): one.count for one in found} == {
        (action, bound): 2 for action in actions for bound in (0, 19)
    }


def test_as_many_kinds_as_a_batch_can_hold_are_one_write_each_span(stage: Stage, proxy: FaultProxy) -> None:
    tallies = Tallies(through(proxy, stage), stage.name, lane=0)
    proxy.calls.clear()
    kinds = [tally(action=f"action-{number}") for number in range(200)]
    for _ in range(2):
        tallies.add(kinds)
    tallies.add([*kinds, tally(BEGAN + SPAN)])

    assert proxy.calls == ["PutItem", "UpdateItem", "UpdateItem", "PutItem"]
    assert sum(counted(stage, BEGAN + SPAN).values()) == 601


def test_what_was_counted_is_what_the_changes_were(stage: Stage, tallies: Tallies) -> None:
    requests = [stage.add("echo") for _ in range(5)]
    stage.end(*(Key(one.id) for one in requests), plan=0)
    expected = tallies_of(come_to_pass(stage.changes()))

    tallies.add(expected)

    now = datetime.now(UTC)
    assert Counter(tallied(stage.table, now - KEPT, now)) == Counter(expected)
