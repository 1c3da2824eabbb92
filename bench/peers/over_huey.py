"""The service over Huey and SQLite: as its guide begins, or with all that its documentation says against losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huey import SqliteHuey
from huey.signals import SIGNAL_INTERRUPTED

from bench.peers.job import Members, perform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CREATED, OK, CONFLICT = 201, 200, 409


class OverHuey:
    """See Peer."""

    def __init__(self, file: Path, *, safest: bool) -> None:
        """`file`: its database. `safest`: with all that is said against losses.

        Every write is synced, SIGTERM lets a task end, an interrupted one is enqueued again (the recipe
        "Re-enqueueing Interrupted Tasks"), and what was accepted is kept by its id in the key-value store.
        """
        self._safest = safest
        self._huey = SqliteHuey("requests", filename=str(file), **({"fsync": True} if safest else {}))
        self._task = self._huey.task(name="request")(_request)
        if safest:
            self._huey.signal(SIGNAL_INTERRUPTED)(self._enqueue_again)

    def accept(self, members: Members) -> int:
        """See Peer. The id is the task's; Huey "does not de-duplicate by ID at the queue level"."""
        key = f"accepted:{members['id']}"
        if self._safest and (before := self._huey.get(key, peek=True)) is not None:
            return OK if before == members else CONFLICT
        self._huey.enqueue(self._task.s(members, id=members["id"]))
        if self._safest:
            # Afterwards: a crash in between leaves a task that may be enqueued twice, not one that never was.
            self._huey.put_if_empty(key, members)
        return CREATED

    def work(self, name: str) -> None:
        """See Peer."""
        del name
        consumer = self._huey.create_consumer(
            workers=1, periodic=False, max_delay=1.0, graceful_signal="TERM" if self._safest else "INT"
        )
        consumer.run()

    def everything(self) -> Iterator[dict[str, Any]]:
        """See Peer."""
        ended = set[str]()
        for key in self._huey.all_results():
            found = self._huey.get(key, peek=True)
            if not key.startswith("accepted:"):
                ended.add(key)
                yield found
        waiting = {task.id: task.args[0] for task in self._huey.pending()}
        for key in self._huey.all_results():
            if key.startswith("accepted:"):
                waiting.setdefault(key.removeprefix("accepted:"), self._huey.get(key, peek=True))
        yield from (
            {"members": members, "status": None, "result": None} for id_, members in waiting.items() if id_ not in ended
        )

    def _enqueue_again(self, signal: str, task: Any, *_: Any, **__: Any) -> None:
        del signal
        self._huey.enqueue(task)


def _request(members: Members) -> dict[str, Any]:
    """Its result is all that Huey keeps of it."""
    return {"members": members, **perform(members)}
