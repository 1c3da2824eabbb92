"""What of the comparison with the peers needs none of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from random import Random
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from bench.peers.intake import PATH, intake
from bench.peers.job import perform
from bench.peers.keeper import Keeper
from bench.peers.subject import PEERS
from bench.peers.table import table

from tests.acceptance.service import exists, until
from tests.torture.audit import audit
from tests.torture.ledger import Ledger
from tests.torture.report import report
from tests.torture.requests import expected, request
from tests.torture.subject import Kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WAITS = [sys.executable, "-c", "import signal; signal.pause()"]
ENDS = [sys.executable, "-c", "print('it ran', flush=True)"]


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    with Keeper({"one": WAITS, "two": WAITS}, log=tmp_path / "log") as keeper:
        yield keeper


def test_a_process_that_was_killed_is_started_again_and_the_other_is_left_alone(keeper: Keeper) -> None:
    before = keeper.pids()

    os.kill(before["one"], signal.SIGKILL)

    after = until(lambda: keeper.pids().get("one", before["one"]) != before["one"] and keeper.pids(), "another process")
    assert after["two"] == before["two"]
    assert set(after) == {"one", "two"}


def test_a_process_that_ends_by_itself_is_started_again_and_again(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with Keeper({"one": ENDS}, log=log):
        until(lambda: log.exists() and log.read_text().count("it ran") > 2, "three runs")


def test_a_restart_kills_all_of_them_also_one_that_stands_still(keeper: Keeper) -> None:
    before = keeper.pids()
    os.kill(before["one"], signal.SIGSTOP)

    keeper.restart()

    assert not any(exists(pid) for pid in before.values())
    assert set(keeper.pids()) == {"one", "two"}


def test_nothing_runs_once_the_block_is_left(tmp_path: Path) -> None:
    with Keeper({"one": WAITS}, log=tmp_path / "log") as keeper:
        pids = keeper.pids()

    assert not any(exists(pid) for pid in pids.values())
    assert keeper.pids() == {}


def test_a_peer_runs_what_the_torture_foretells() -> None:
    random = Random(1)
    for sent in (request(random) for _ in range(300)):
        outcome = perform({**sent, "seconds": 0})

        assert (outcome["status"], outcome["result"]) == (expected(sent).status, expected(sent).result)


def test_a_run_is_written_down_before_anything_else_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORTURE_BOOK", str(tmp_path / "book"))

    perform({"id": "a", "action": "give-up"})
    with pytest.raises(KeyError):
        perform({"id": "b", "action": "tally"})

    assert (tmp_path / "book").read_text() == "a 0\nb 0\n"


def test_one_request_is_answered_with_what_the_peer_made_of_it() -> None:
    answer = _posted(lambda _: 201, {"id": "a"})

    assert answer.status_code == 201


def test_many_are_answered_item_by_item_as_an_array_or_as_lines() -> None:
    requests = [{"id": "a"}, {"id": "b"}]
    items = [{"index": 0, "id": "a", "status": 201}, {"index": 1, "id": "b", "status": 200}]

    def accept(members: dict[str, Any]) -> int:
        return 201 if members["id"] == "a" else 200

    array = _posted(accept, requests)
    lines = _posted(accept, *requests)

    assert (array.status_code, array.json()) == (207, {"items": items})
    assert (lines.status_code, [json.loads(line) for line in lines.text.splitlines()]) == (207, items)


def test_what_the_peer_could_not_queue_is_not_acknowledged() -> None:
    def locked(members: dict[str, Any]) -> int:
        raise OSError(members)

    assert _posted(locked, {"id": "a"}).status_code == 503
    assert _posted(locked, [{"id": "a"}]).json()["items"][0]["status"] == 503


def test_the_table_shows_each_subject_in_a_column_of_its_own() -> None:
    ledger = Ledger()
    for id_ in ("a", "b"):
        ledger.acknowledge({"id": id_}, ledger.send([{"id": id_, "action": "give-up"}]), None)
    ledger.breach("a: 201 for other content, where 409 is due")
    kept = {"a": Kept(members={"id": "a", "action": "give-up"}, status="failed", endings=2)}
    found = report(
        seed=1,
        seconds=1,
        ledger=ledger,
        strikes=[],
        endings={},
        runs={},
        findings=audit(ledger.sent, ledger.acknowledged, kept),
        breaches=ledger.breaches,
    )

    lines = {line[:42].strip(): line[42:].split() for line in table({"one": found, "two": found})}

    assert lines[""] == ["one", "two"]
    assert lines["acknowledged with a 2xx"] == ["2", "2"]
    assert lines["acknowledged, and no trace of it"] == ["1", "1"]
    assert lines["ended twice"] == ["1", "1"]
    assert lines["other content under an id not refused"] == ["1", "1"]
    assert lines["other answers that may not be"] == ["0", "0"]
    assert lines["work ended after a blow, p50/p99 s"] == ["-", "-"]


def test_each_peer_has_a_name_of_its_own() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)


def _posted(accept: Callable[[dict[str, Any]], int], *bodies: Any) -> httpx.Response:
    """One body as JSON, several as lines."""
    kind = "application/x-ndjson" if len(bodies) > 1 else "application/json"

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(intake(accept))
        async with httpx.AsyncClient(transport=transport, base_url="http://peer") as client:
            content = b"\n".join(json.dumps(body).encode() for body in bodies)
            return await client.post(PATH, content=content, headers={"content-type": kind})

    return asyncio.run(post())
