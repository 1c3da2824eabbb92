"""The service over DBOS and SQLite, after its documentation's example of a queue worker.

https://docs.dbos.dev/python/examples/queue-worker
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSClient

from bench.peers.job import Members, perform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUE = "requests"
WORKFLOW = "request"
CREATED = 201
AT_ONCE = 32
"""In one worker, which looks into the queue once a second: the default."""


class OverDbos:
    """See Peer."""

    def __init__(self, file: Path) -> None:
        """`file`: the system database."""
        self._url = f"sqlite:///{file}"

    def accept(self, members: Members) -> int:
        """See Peer. The id is the workflow's, by which DBOS starts it once however often it is enqueued."""
        options = {"queue_name": QUEUE, "workflow_name": WORKFLOW, "workflow_id": members["id"]}
        self._client.enqueue(options, members)
        return CREATED

    def work(self, name: str) -> None:
        """See Peer. A process that is started again under its old name recovers what it was at."""
        DBOS(
            config={
                "name": "peers",
                "system_database_url": self._url,
                "application_version": "1",
                "executor_id": name,
                "log_level": "WARNING",
            }
        )
        step = DBOS.step(name="perform")(perform)

        def request(members: Members) -> Any:
            return step(members)

        DBOS.workflow(name=WORKFLOW)(request)
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=AT_ONCE)
        threading.Event().wait()

    def everything(self) -> Iterator[dict[str, Any]]:
        """See Peer."""
        for workflow in self._client.list_workflows(name=WORKFLOW):
            outcome = workflow.output or {"status": None, "result": None}
            if workflow.error is not None:
                outcome = {"status": "failed", "result": str(workflow.error)}
            yield {"members": workflow.input["args"][0], **outcome}

    @cached_property
    def _client(self) -> Any:
        return DBOSClient(system_database_url=self._url)
