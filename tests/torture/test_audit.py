"""What the audit finds, the schedule repeats, and the recovery measures."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest

from acuse.domain.record import Key
from tests.torture import recovery
from tests.torture.audit import Findings, audit
from tests.torture.gremlin import Strike
from tests.torture.ledger import Acknowledged, Ledger
from tests.torture.requests import Members, altered, expected
from tests.torture.schedule import Blow, Fault, schedule
from tests.torture.subject import Kept

ONE: Members = {"id": "1", "action": "tally", "number": 2}
SPLIT: Members = {"id": "2", "action": "sum-up", "upto": 4}
UNANSWERED: Members = {"id": "3", "action": "give-up"}
SENT = {members["id"]: members for members in (ONE, SPLIT, UNANSWERED)}
ACKNOWLEDGED = {id_: Acknowledged(SENT[id_], 0.0, 1.0, "then") for id_ in "12"}


def kept(members: Members) -> Kept:
    foretold = expected(members)
    return Kept(members=members, status=foretold.status, result=foretold.result, endings=1)


WELL = {members["id"]: kept(members) for members in (ONE, SPLIT)}


def found(**changes: Kept | None) -> Findings:
    after = {**WELL, **{id_.removeprefix("_"): one for id_, one in changes.items()}}
    return audit(SENT, ACKNOWLEDGED, {id_: one for id_, one in after.items() if one is not None})


def test_all_is_well_with_or_without_what_was_never_acknowledged() -> None:
    assert found().all_well
    assert found(_3=kept(UNANSWERED)).all_well


@pytest.mark.parametrize(
    ("finding", "id_", "change"),
    [
        ("lost", "1", None),
        ("changed", "1", {"members": altered(ONE)}),
        ("unended", "1", {"endings": 0, "status": "accepted", "result": None}),
        ("ended_twice", "2", {"endings": 2}),
        ("ended_wrongly", "2", {"result": {"parts": 3, "sum": 6}}),
        ("ended_wrongly", "2", {"status": "failed", "result": None}),
        ("parts_amiss", "2", {"amiss": ("one is missing",)}),
    ],
)
def test_each_fault_is_found_and_named(finding: str, id_: str, change: dict[str, object] | None) -> None:
    findings = found(**{f"_{id_}": None if change is None else msgspec.structs.replace(WELL[id_], **change)})

    assert {name for name, ids in msgspec.structs.asdict(findings).items() if ids} == {finding}
    assert getattr(findings, finding)[0].startswith(id_)


def test_what_was_sent_and_not_acknowledged_is_whole_or_not_there() -> None:
    half = msgspec.structs.replace(kept(UNANSWERED), members={"id": "3"})

    assert found(_3=half).changed == ("3",)


def test_what_nobody_sent_is_found() -> None:
    assert found(_4=kept(ONE)).unknown == ("4",)


LONG_AGO, IN_THE_END = 0.0, math.inf


def told(*answers: Members, sent_at: float = IN_THE_END) -> list[str]:
    ledger = Ledger()
    for answer in answers:
        ledger.tell(UNANSWERED, answer, sent_at)
    return ledger.breaches


BEGUN = UNANSWERED | {"created_at": "2026-01-01T00:00:01.000001Z", "finished_at": None}
ENDED = BEGUN | {
    "status": "failed",
    "finished_at": "2026-01-01T00:00:02.000000Z",
    "result": None,
    "error": {"reason": "refused", "detail": "as it was asked to"},
}


def test_an_ending_may_be_told_as_often_as_one_likes() -> None:
    assert told(BEGUN, ENDED, ENDED) == []


@pytest.mark.parametrize(
    ("change", "breach"),
    [
        ({"finished_at": "2026-01-01T00:00:02.000001Z"}, "after"),
        ({"status": "finished"}, "not as"),
        ({"error": {"reason": "abandoned", "detail": "every one of 5 attempts was cut off"}}, "not as"),
        ({"finished_at": "2026-01-01T00:00:01.000000Z"}, "before it was created"),
        ({"action": "tally"}, "came back as"),
    ],
)
def test_an_answer_that_tells_of_an_ending_otherwise_is_a_breach(change: Members, breach: str) -> None:
    assert any(breach in one for one in told(ENDED, ENDED | change))


def test_an_ending_that_was_told_is_not_taken_back() -> None:
    assert any("after" in one for one in told(ENDED, BEGUN))
    assert told(ENDED, BEGUN, sent_at=LONG_AGO) == []


def test_a_seed_gives_the_same_schedule_again_and_another_one_another() -> None:
    first, again, other = (schedule(Random(seed), seconds=300, every=0.5, lease=1.0) for seed in (1, 1, 2))

    assert first == again != other
    assert 400 < len(first) < 800
    assert {fault.blow for fault in first} == set(Blow)
    assert all(fault.lasts > 1.0 for fault in first if fault.blow is Blow.STOP)
    assert [fault.at for fault in first] == sorted(fault.at for fault in first)


def strike(blow: Blow, kind: str, *leased: Key) -> Strike:
    return Strike(fault=Fault(at=0.0, blow=blow, kind=kind), at=10.0, processes=1, leased=leased)


def test_work_has_recovered_when_all_that_was_leased_has_ended() -> None:
    one, other, gone = Key("1"), Key("2", 3), Key("3")
    endings = {one: [12.0], other: [9.0, 14.5]}

    assert recovery.of_work([strike(Blow.KILL, "worker", one, other, gone)], endings) == [4.5]
    assert recovery.of_work([strike(Blow.KILL, "api", one), strike(Blow.STOP, "runner", one)], endings) == []
    assert recovery.of_work([strike(Blow.KILL, "runner", gone)], endings) == []


def test_the_intake_has_recovered_when_what_was_sent_afterwards_is_acknowledged() -> None:
    answers = [Acknowledged({}, sent_at, at, None) for sent_at, at in [(9.0, 10.5), (10.5, 13.0), (11.0, 12.0)]]

    assert recovery.of_intake([strike(Blow.KILL, "api"), strike(Blow.RESTART, "")], answers) == [2.0, 2.0]
    assert recovery.of_intake([strike(Blow.STOP, "api"), strike(Blow.KILL, "worker")], answers) == []
    assert recovery.of_intake([strike(Blow.KILL, "api")], answers[:1]) == []


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert [recovery.percentile(range(1, 101), of) for of in (0, 50, 99)] == [1, 50, 99]
    assert recovery.percentile([], 50) == 0.0
