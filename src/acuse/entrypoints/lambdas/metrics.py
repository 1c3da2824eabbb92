"""The figures of the service, as CloudWatch reads them from the function's log (Embedded Metric Format)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

if TYPE_CHECKING:
    from acuse.adapters.aws.counts import Counts

NAMESPACE = "acuse"


def write(counts: Counts, service: str) -> None:
    """The counts are in the log, under that service's name; nothing, if nothing was counted.

    All three are there, also the zeros, so that one can be divided by another.
    """
    if not (counts.accepted or counts.seconds):
        return
    metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
    for seconds in counts.seconds:
        metrics.add_metric("TimeToEnd", MetricUnit.Seconds, seconds)  # Each 100 values are written by themselves.
    metrics.add_metric("Accepted", MetricUnit.Count, counts.accepted)
    metrics.add_metric("Finished", MetricUnit.Count, counts.finished)
    metrics.add_metric("Failed", MetricUnit.Count, counts.failed)
    metrics.flush_metrics()
