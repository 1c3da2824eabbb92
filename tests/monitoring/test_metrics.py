"""Prometheus's own judge has nothing to say against the metrics."""

from __future__ import annotations

import os
import re
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
from tests.monitoring.files import rules

if TYPE_CHECKING:
    from acuse.adapters.metrics.exposition import Gauges
    from tests.monitoring.promtool import Promtool


GAUGES: Gauges = {(BUILD_INFO.name, ("1",)): 1.0, (READY.name, ("intake",)): 1.0, (STORE_UP.name, ()): 1.0}


def at_first() -> str:
    """What a service tells that has done nothing yet."""
    catalogue = Catalogue([Delay])
    descriptor = create()
    counting_intake(descriptor, catalogue)
    counting_work(descriptor, catalogue)
    gauges = GAUGES | gauges_of(Backlog(total=Load(), actions=None), StillClock().now())
    text, _ = Exposition([read(descriptor)], gauges).text("")
    os.close(descriptor)
    return text.decode()


def test_it_accepts_every_metric(promtool: Promtool) -> None:
    text = at_first()

    assert all(f"\n{metric.name}" in text for metric in METRICS), "each has a sample"
    promtool.accepts("check", "metrics", given=text)


def test_what_a_rule_waits_for_is_zero_at_first_so_that_the_first_one_is_a_rise() -> None:
    asked = {one for rule in rules() for one in re.findall(r'increase\((\w+)(?:{(\w+)=~?"([^"]*)"})?\[', rule["expr"])}

    assert ("acuse_run_duration_seconds_count", "outcome", "crashed") in asked
    for name, label, values in asked:
        for value in values.split("|"):
            wanted = f'{label}="{value}"' if label else ""
            assert re.search(rf"^{name}(?:{{.*{wanted}.*}})? 0\.0$", at_first(), re.MULTILINE), (name, wanted)
