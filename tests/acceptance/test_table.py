"""The commands that look at records and change them, over a table of the local AWS."""

from __future__ import annotations

import json
import os
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from acuse.adapters.clock import SystemClock
from acuse.domain.delivery import Ending
from acuse.domain.record import Failure, Reason
from tests.acceptance.service import acuse
from tests.aws.local import local_aws
from tests.contract.aws import Live
from tests.requests import record

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

LEASE = timedelta(seconds=30)
ENDED = 12


class Kept:
    """Requests in a table: six that failed, one after another, six that finished, and one that is accepted."""

    def __init__(self, aws: Live, clock: SystemClock) -> None:
        self._environment = {**os.environ, **aws.settings}
        records = [record(clock.now()) for _ in range(ENDED)]
        aws.store.add(records)
        self.failed: list[str] = []
        self.finished: list[str] = []
        while len(self.failed) + len(self.finished) < ENDED:
            for delivery in aws.queue.receive(10, LEASE):
                is_failed = len(self.failed) < ENDED / 2
                error = Failure(Reason.RAISED, "no") if is_failed else None
                ending = Ending(delivery=delivery, at=clock.now(), result=None if error else b"1", error=error)
                assert aws.store.settle([ending]) == [True]
                (self.failed if is_failed else self.finished).append(delivery.key.id)
        accepted = record(clock.now())
        aws.store.add([accepted])
        self.accepted = [accepted.id]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        told = acuse(*arguments, env=self._environment)
        assert told.returncode == 0, told.stderr
        return told

    def listed(self, *arguments: object) -> list[str]:
        return [line.split("\t")[0] for line in self.run("list", *arguments).stdout.splitlines()]


@pytest.fixture
def kept() -> Iterator[Kept]:
    clock = SystemClock()
    with closing(Live(local_aws(), clock, LEASE, {"delay": None})) as aws:
        yield Kept(aws, clock)


def test_the_commands_do_over_a_table_what_they_do_over_a_file(kept: Kept, tmp_path: Path) -> None:
    everything = {*kept.failed, *kept.finished, *kept.accepted}

    first = kept.run("list", "--status", "failed", "--limit", 4)
    assert "4 requests, last failed first; there may be more: --after failed/" in first.stderr
    cursor = first.stderr.split()[-1]
    rest = kept.listed("--status", "failed", "--after", cursor)
    assert [line[:36] for line in first.stdout.splitlines()] + rest == kept.failed[::-1]

    scanned = kept.run("list", "--limit", "all", "--format", "json")
    assert scanned.stderr == "13 requests, in no order\n"
    assert {json.loads(line)["id"] for line in scanned.stdout.splitlines()} == everything

    file = tmp_path / "requests.parquet"
    kept.run("export", "--format", "parquet", "--output", file)
    exported: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    assert len(exported) == len(everything)
    assert {one["id"] for one in exported} == everything
    assert {one["reason"] for one in exported} == {None, "raised"}

    assert kept.run("retry", "--failed", "--since", "1h").stdout == "6 requests are accepted again\n"
    assert set(kept.listed("--status", "accepted")) == {*kept.failed, *kept.accepted}
