"""The Overview over DynamoDB and SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.aws.failed import lacks_index, last_failed
from acuse.adapters.aws.listing import is_scanned, scanned
from acuse.adapters.aws.tallies import tallied
from acuse.domain.backlog import Backlog
from acuse.domain.errors import Misconfigured, StoreUnavailable
from acuse.domain.record import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from acuse.adapters.aws.table import Table
    from acuse.domain.backlog import Load
    from acuse.domain.listing import Filter, Page
    from acuse.domain.tally import Tally
    from acuse.ports import Clock


class AwsOverview:
    """See Overview."""

    def __init__(self, table: Table, clock: Clock, load: Callable[[], Load]) -> None:
        """Nothing is called yet. `load`: of the queue, if there is one; else it raises Misconfigured."""
        self._table = table
        self._clock = clock
        self._load = load

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        """See Overview. What failed, last failed first; all else, or where the table has no index, in no order.

        What was written in the last moment may not be found yet.
        """
        if wanted.status is Status.FAILED and not is_scanned(after):
            try:
                return last_failed(self._table, wanted, limit, after)
            except StoreUnavailable as error:
                if after is not None or not lacks_index(error):
                    raise
        return scanned(self._table, wanted, limit, after)

    def backlog(self) -> Backlog:
        """See Overview. Of the whole queue."""
        try:
            return Backlog(total=self._load(), actions=None)
        except Misconfigured as error:  # Without a queue, records can be looked at all the same.
            raise StoreUnavailable(str(error)) from error

    def tallies(self, since: datetime) -> list[Tally]:
        """See Overview. As the relay has counted them: after what came to pass, and what it was given twice, twice."""
        return tallied(self._table, since, self._clock.now())
