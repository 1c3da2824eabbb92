"""What was counted, and what is so now, in the text format that Prometheus reads."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder

from acuse.adapters.metrics.counting import cells_of
from acuse.adapters.metrics.metric import METRICS, Kind, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric as Family

Labels = tuple[str, ...]
Gauges = dict[tuple[str, Labels], float]
"""By the name of the metric and the values of its labels."""

_names = msgspec.json.Decoder(tuple[str, ...])


class Exposition:
    """One look: a collector, as the library wants it."""

    def __init__(self, counted: Iterable[Mapping[bytes, Sequence[float]]], gauges: Gauges) -> None:
        """`counted`: what each process has counted; it is added up."""
        self._series: dict[str, dict[Labels, Sequence[float]]] = {metric.name: {} for metric in METRICS}
        kinds = {metric.name: metric for metric in METRICS}
        for cells in counted:
            for encoded, numbers in cells.items():
                name, *values = _names.decode(encoded)
                metric = kinds.get(name)
                # Another version may have counted otherwise, before it died.
                if metric is not None and len(numbers) == cells_of(metric) and len(values) == len(metric.labels):
                    self._add(metric, tuple(values), numbers)
        for (name, labels), value in gauges.items():
            self._series[name][labels] = (value,)

    def text(self, accept: str) -> tuple[bytes, str]:
        """The text and its media type, as far as possible as accepted."""
        try:
            encode, media_type = choose_encoder(accept)
        except (TypeError, ValueError):  # A version that is none.
            encode, media_type = choose_encoder("")
        registry = CollectorRegistry()
        registry.register(self)
        return encode(registry), media_type

    def collect(self) -> Iterator[Family]:
        """Every metric, in the order of the documentation; one of which nothing is known here, without a value."""
        for metric in METRICS:
            yield _family(metric, self._series[metric.name])

    def _add(self, metric: Metric, labels: Labels, numbers: Sequence[float]) -> None:
        series = self._series[metric.name]
        before = series.get(labels)
        series[labels] = numbers if before is None else [a + b for a, b in zip(before, numbers, strict=True)]


def _family(metric: Metric, series: Mapping[Labels, Sequence[float]]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
        bounds = [*(str(float(bound)) for bound in metric.bounds), "+Inf"]
        for labels, (*buckets, total) in sorted(series.items()):
            histogram.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
        return histogram
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, (value,) in sorted(series.items()):
        family.add_metric(labels, value)
    return family
