"""The Overview over DynamoDB and SQS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.adapters.aws.listing import scanned
from acuse.domain.backlog import Backlog
from acuse.domain.errors import Misconfigured, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from acuse.adapters.aws.table import Table
    from acuse.domain.backlog import Load
    from acuse.domain.listing import Filter, Page
    from acuse.domain.tally import Tally


class AwsOverview:
    """See Overview."""

    def __init__(self, table: Table, load: Callable[[], Load]) -> None:
        """Nothing is called yet."""
        self._table = table
        self._load = load

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        """See Overview."""
        return scanned(self._table, wanted, limit, after)

    def backlog(self) -> Backlog:
        """See Overview. Of the whole queue."""
        try:
            return Backlog(total=self._load(), actions=None)
        except Misconfigured as error:  # Without a queue, records can be looked at all the same.
            raise StoreUnavailable(str(error)) from error

    def tallies(self, since: datetime) -> list[Tally]:  # noqa: ARG002
        """See Overview."""
        return []
