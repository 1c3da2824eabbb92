"""From the table's stream: what is due is sent to the workers, and what came to pass is counted."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from acuse.adapters.aws.counts import come_to_pass, counts_of, tallies_of
from acuse.adapters.aws.relay import called_for
from acuse.entrypoints.lambdas.metrics import write
from acuse.entrypoints.lambdas.service import service, service_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acuse.adapters.aws.relay import Change

log = logging.getLogger(__name__)


def handler(event: Any, context: Any) -> None:  # noqa: ARG001
    """All that the changes call for is in the queue. An error makes the stream give the whole batch again."""
    changes = event["Records"]
    service().aws.outbox.send(called_for(changes), timedelta(0))
    _count(changes)


def _count(changes: Sequence[Change]) -> None:
    """The changes are in metrics and tallies, if that can be. No figure is worth a batch that is given again."""
    told = {"changes": len(changes)}
    try:
        records = come_to_pass(changes)
        write(counts_of(records), service_name())
    except Exception:
        log.exception("a batch is missing from the metrics", extra=told)
        return
    try:
        service().aws.tallies.add(tallies_of(records))
    except Exception as error:  # noqa: BLE001  (whatever it is)
        log.warning("a batch is missing from the tallies", extra={**told, "error": str(error)})
