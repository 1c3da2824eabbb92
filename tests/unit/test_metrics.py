"""Every event is counted in its series, and what was counted is shown as Prometheus reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from acuse.adapters.metrics.cells import Cells, create, read
from acuse.adapters.metrics.counting import Counting, cells_of
from acuse.adapters.metrics.exposition import Exposition
from acuse.adapters.metrics.gauges import gauges_of
from acuse.adapters.metrics.metric import ACCEPTED, COMMIT_REQUESTS, ENDED, METRICS, STORE_UP, Kind
from acuse.domain.backlog import Backlog, Load, backlog_of
from acuse.domain.event import Committed, Ended, Event, LeaseLost, Ran, Refused, Replayed, Started
from acuse.domain.task import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def descriptors() -> Iterator[list[int]]:
    made = [create(), create()]
    yield made
    for descriptor in made:
        os.close(descriptor)


def shown(*descriptors: int, parse: Any = plain, accept: str = "") -> dict[str, float]:
    """The samples, as `name{label="value"}`, without empty buckets."""
    text, _ = Exposition([read(one) for one in descriptors], {}).text(accept)
    found = {}
    for family in parse(text.decode()):
        for name, labels, value, *_ in family.samples:
            told = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
            found[f"{name}{{{told}}}"] = value
    return found


def risen(samples: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in samples.items() if value and "_bucket" not in name}


@pytest.mark.parametrize(
    ("event", "samples"),
    [
        (
            Committed(7, 0.25, {"a": 3, "b": 1}, {"a": 2}),
            {
                "acuse_commit_requests_count{}": 1,
                "acuse_commit_requests_sum{}": 7,
                "acuse_commit_duration_seconds_count{}": 1,
                "acuse_commit_duration_seconds_sum{}": 0.25,
                "acuse_requests_accepted_total{action=a}": 3,
                "acuse_requests_accepted_total{action=b}": 1,
                "acuse_requests_replayed_total{action=a}": 2,
            },
        ),
        (Replayed({"a": 2}), {"acuse_requests_replayed_total{action=a}": 2}),
        (Refused("conflict", 3), {"acuse_requests_refused_total{problem=conflict}": 3}),
        (Started("a", Step.SPLIT), {"acuse_attempts_total{action=a,step=split}": 1}),
        (
            Ran("a", Step.RUN, "timed-out", 1.5),
            {
                "acuse_run_duration_seconds_count{action=a,outcome=timed-out,step=run}": 1,
                "acuse_run_duration_seconds_sum{action=a,outcome=timed-out,step=run}": 1.5,
            },
        ),
        (
            Ended("a", "raised", 2.5),
            {
                "acuse_requests_ended_total{action=a,outcome=raised}": 1,
                "acuse_request_duration_seconds_count{action=a}": 1,
                "acuse_request_duration_seconds_sum{action=a}": 2.5,
            },
        ),
        (LeaseLost(), {"acuse_leases_lost_total{}": 1}),
    ],
)
def test_an_event_counts_in_its_own_series_and_in_no_other(
    event: Event, samples: dict[str, float], descriptors: list[int]
) -> None:
    counting = Counting(Cells(descriptors[0]))

    counting(event)
    assert risen(shown(descriptors[0])) == samples

    counting(event)
    assert risen(shown(descriptors[0])) == {name: 2 * value for name, value in samples.items()}


def test_a_bucket_takes_what_is_up_to_its_bound_and_holds_those_below(descriptors: list[int]) -> None:
    counting = Counting(Cells(descriptors[0]))
    for requests in (1, 2, 3, 5, 500, 501):
        counting(Committed(requests, 0.1, {}, {}))

    found = shown(descriptors[0])
    bounds = [*map(float, COMMIT_REQUESTS.bounds), "+Inf"]
    counts = [found[f"acuse_commit_requests_bucket{{le={bound}}}"] for bound in bounds]
    assert counts == [1, 2, 4, 4, 4, 4, 4, 4, 5, 6]


def test_what_several_processes_have_counted_is_added_up(descriptors: list[int]) -> None:
    first, second = (Counting(Cells(descriptor)) for descriptor in descriptors)
    for counting in (first, second):
        counting(Started("a", Step.RUN))
        counting(Committed(2, 1.0, {}, {}))
    second(Started("b", Step.RUN))

    found = shown(*descriptors)
    assert found["acuse_attempts_total{action=a,step=run}"] == 2
    assert found["acuse_attempts_total{action=b,step=run}"] == 1
    assert found["acuse_commit_requests_bucket{le=2.0}"] == 2
    assert found["acuse_commit_requests_sum{}"] == 4


def test_threads_do_not_lose_each_others_counts(descriptors: list[int]) -> None:
    counting = Counting(Cells(descriptors[0]))

    def count(_: int) -> None:
        for _ in range(2_000):
            counting(Refused("invalid", 1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(4)))

    assert shown(descriptors[0])["acuse_requests_refused_total{problem=invalid}"] == 8_000


def test_what_is_expected_is_there_before_it_has_come_to_pass_and_stays_as_it_is(descriptors: list[int]) -> None:
    counting = Counting(Cells(descriptors[0]))
    counting(Ended("a", "raised", 1.0))
    counting.expect(ENDED, [("a", "raised"), ("a", "finished")])
    counting.expect(COMMIT_REQUESTS, [()])

    found = shown(descriptors[0])
    assert found["acuse_requests_ended_total{action=a,outcome=raised}"] == 1
    assert found["acuse_requests_ended_total{action=a,outcome=finished}"] == 0
    assert found["acuse_commit_requests_bucket{le=+Inf}"] == 0


def test_a_process_that_comes_after_counts_on(descriptors: list[int]) -> None:
    for _ in range(3):
        Counting(Cells(descriptors[0]))(LeaseLost())

    assert shown(descriptors[0])["acuse_leases_lost_total{}"] == 3


def test_what_another_version_has_counted_otherwise_is_left_out(descriptors: list[int]) -> None:
    cells = Cells(descriptors[0])
    for name, count in ((b'["of_another_version"]', 1), (b'["acuse_commit_requests"]', 4), (b'["acuse_waiting"]', 1)):
        cells.numbers[cells.place(name, count)] = 1
    Counting(cells)(LeaseLost())

    assert risen(shown(descriptors[0])) == {"acuse_leases_lost_total{}": 1}


def test_a_label_may_be_any_text(descriptors: list[int]) -> None:
    Counting(Cells(descriptors[0]))(Started('qu"ote\\ ñ\n', Step.RUN))

    assert shown(descriptors[0])['acuse_attempts_total{action=qu"ote\\ ñ\n,step=run}'] == 1


def test_every_metric_is_declared_even_where_nothing_is_known_of_it() -> None:
    text, media_type = Exposition([], {}).text("")

    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    told = [line for line in text.decode().splitlines() if line.startswith("# TYPE")]
    assert told == [f"# TYPE {metric.name} {metric.kind}" for metric in METRICS]
    assert all(not family.samples for family in plain(text.decode()))


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "openmetrics"),
        ("application/openmetrics-text; version=0.0.1", "plain"),
        ("text/plain", "plain"),
        ("text/html,*/*", "plain"),
        ("text/plain;version=nonsense", "plain"),
        ("application/openmetrics-text;version=nonsense", "plain"),
        ("", "plain"),
    ],
)
def test_it_is_told_in_the_form_that_is_asked_for(accept: str, kind: str, descriptors: list[int]) -> None:
    counting = Counting(Cells(descriptors[0]))
    counting(Committed(1, 0.001, {"a": 1}, {}))

    text, media_type = Exposition([read(descriptors[0])], {(STORE_UP.name, ()): 1.0}).text(accept)

    is_openmetrics = kind == "openmetrics"
    assert media_type.startswith("application/openmetrics-text" if is_openmetrics else "text/plain; version=0.0.4")
    assert text.endswith(b"# EOF\n") == is_openmetrics
    families = {family.name: family for family in (openmetrics if is_openmetrics else plain)(text.decode())}
    assert families["acuse_requests_accepted"].samples[0].value == 1
    if is_openmetrics:
        assert families["acuse_commit_duration_seconds"].unit == "seconds"


def test_a_metric_is_named_for_its_kind_and_unit_and_its_bounds_rise() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("acuse_")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert metric.name.endswith(metric.unit)
        assert bool(metric.bounds) == (metric.kind is Kind.HISTOGRAM)
        assert list(metric.bounds) == sorted(set(metric.bounds))
        assert metric.help.endswith((".", "0."))
    assert cells_of(ACCEPTED) == 1


def test_the_backlog_of_each_action_is_a_gauge() -> None:
    backlog = backlog_of(
        {"a": Load(waiting=2, delayed=3, running=4, oldest=NOW - timedelta(seconds=9)), "b": Load(running=1)}
    )

    assert gauges_of(backlog, NOW) == {
        ("acuse_waiting", ("a",)): 2,
        ("acuse_delayed", ("a",)): 3,
        ("acuse_running", ("a",)): 4,
        ("acuse_oldest_waiting_seconds", ("a",)): 9,
        ("acuse_waiting", ("b",)): 0,
        ("acuse_delayed", ("b",)): 0,
        ("acuse_running", ("b",)): 1,
        ("acuse_oldest_waiting_seconds", ("b",)): 0,
    }


def test_where_one_action_cannot_be_told_from_another_there_is_one_series_of_all() -> None:
    backlog = Backlog(total=Load(waiting=2, oldest=NOW + timedelta(seconds=1)), actions=None)

    found = gauges_of(backlog, NOW)

    assert {labels for _, labels in found} == {("all",)}
    assert found["acuse_oldest_waiting_seconds", ("all",)] == 0, "the clock of the queue may be ahead"


def test_for_how_long_something_has_waited_is_left_out_where_it_is_not_known() -> None:
    found = gauges_of(Backlog(total=Load(waiting=2), actions=None), NOW)

    assert ("acuse_oldest_waiting_seconds", ("all",)) not in found
    assert found["acuse_waiting", ("all",)] == 2


@pytest.mark.parametrize("module", ["process", "serve", "lambdas.api", "lambdas.worker", "lambdas.relay"])
def test_only_who_shows_metrics_waits_for_the_library_that_does(module: str) -> None:
    code = f"import sys, acuse.entrypoints.{module}; print('prometheus_client' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert told.strip() == "False"
