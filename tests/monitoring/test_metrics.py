"""Prometheus's own judge has nothing to say against the metrics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from acuse.adapters.metrics.cells import create, read
from acuse.adapters.metrics.exposition import Exposition
from acuse.adapters.metrics.gauges import gauges_of
from acuse.adapters.metrics.metric import BUILD_INFO, METRICS, READY, STORE_UP
from acuse.application.actions import Catalogue
from acuse.delay import Delay
from acuse.domain.backlog import Backlog, Load
from acuse.entrypoints.counted import counting_intake, counting_work
from tests.clock import StillClock

if TYPE_CHECKING:
    from acuse.adapters.metrics.exposition import Gauges
    from tests.monitoring.promtool import Promtool


def test_it_accepts_every_metric(promtool: Promtool) -> None:
    catalogue = Catalogue([Delay])
    descriptor = create()
    counting_intake(descriptor, catalogue)
    counting_work(descriptor, catalogue)
    gauges: Gauges = {(BUILD_INFO.name, ("1",)): 1.0, (READY.name, ("intake",)): 1.0, (STORE_UP.name, ()): 1.0}
    gauges |= gauges_of(Backlog(total=Load(), actions=None), StillClock().now())
    text, _ = Exposition([read(descriptor)], gauges).text("")
    os.close(descriptor)

    assert all(f"\n{metric.name}" in text.decode() for metric in METRICS), "each has a sample"
    promtool.accepts("check", "metrics", given=text.decode())
