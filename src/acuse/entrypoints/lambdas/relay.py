"""From the table's stream to the queue: what is due is sent to the workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from acuse.adapters.aws.relay import called_for
from acuse.entrypoints.lambdas.service import service


def handler(event: Any, context: Any) -> None:  # noqa: ARG001
    """All that the changes call for is in the queue. An error makes the stream give the whole batch again."""
    service().aws.outbox.send(called_for(event["Records"]), timedelta(0))
