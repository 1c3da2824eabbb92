"""Every metric there is. `docs/reference/metrics.md` has a row for each, and is compared with this."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from acuse.domain.tally import BOUNDS


class Kind(StrEnum):
    """The types of Prometheus that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric as Prometheus knows it. `bounds`: of a histogram's buckets, up to and including."""

    name: str
    kind: Kind
    help: str
    labels: Sequence[str] = ()
    unit: str = ""
    bounds: Sequence[float] = ()


ACCEPTED = Metric(
    name="acuse_requests_accepted_total",
    kind=Kind.COUNTER,
    labels=("action",),
    help="Requests that were new, and are on disk.",
)
REPLAYED = Metric(
    name="acuse_requests_replayed_total",
    kind=Kind.COUNTER,
    labels=("action",),
    help="Requests that were sent again and answered with their record.",
)
REFUSED = Metric(
    name="acuse_requests_refused_total",
    kind=Kind.COUNTER,
    labels=("problem",),
    help="Requests, and items of bodies with many, that were answered with a problem.",
)
COMMIT_REQUESTS = Metric(
    name="acuse_commit_requests",
    kind=Kind.HISTOGRAM,
    bounds=(1, 2, 5, 10, 20, 50, 100, 200, 500),
    help="Requests that were written to the store together.",
)
COMMIT_DURATION = Metric(
    name="acuse_commit_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="seconds",
    bounds=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    help="How long the store took to write requests that came together.",
)
ATTEMPTS = Metric(
    name="acuse_attempts_total",
    kind=Kind.COUNTER,
    labels=("action", "step"),
    help="Runs that were started, also those of parts.",
)
RUN_DURATION = Metric(
    name="acuse_run_duration_seconds",
    kind=Kind.HISTOGRAM,
    labels=("action", "step", "outcome"),
    unit="seconds",
    bounds=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300, 1_800, 7_200),
    help="How long runs took, also those of parts, by what came of them.",
)
ENDED = Metric(
    name="acuse_requests_ended_total",
    kind=Kind.COUNTER,
    labels=("action", "outcome"),
    help="Requests that ended, as finished or for the reason of their failure.",
)
REQUEST_DURATION = Metric(
    name="acuse_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    labels=("action",),
    unit="seconds",
    bounds=BOUNDS,
    help="From the creation of requests to their end.",
)
LEASES_LOST = Metric(
    name="acuse_leases_lost_total",
    kind=Kind.COUNTER,
    help="Runs of which nothing was recorded, because their work had ended elsewhere or was another worker's by then.",
)
WAITING = Metric(
    name="acuse_waiting",
    kind=Kind.GAUGE,
    labels=("action",),
    help="Requests and parts that wait for a worker.",
)
DELAYED = Metric(
    name="acuse_delayed",
    kind=Kind.GAUGE,
    labels=("action",),
    help="Requests and parts that wait for the time of their next attempt.",
)
RUNNING = Metric(
    name="acuse_running",
    kind=Kind.GAUGE,
    labels=("action",),
    help="Requests and parts that a worker holds.",
)
OLDEST_WAITING = Metric(
    name="acuse_oldest_waiting_seconds",
    kind=Kind.GAUGE,
    labels=("action",),
    unit="seconds",
    help="For how long what waits longest has been due.",
)
STORE_UP = Metric(
    name="acuse_store_up",
    kind=Kind.GAUGE,
    help="1 if the backlog could be read from the store and the queue, else 0.",
)
READY = Metric(
    name="acuse_ready",
    kind=Kind.GAUGE,
    labels=("check",),
    help="1 if that check of /health/ready is passed, else 0.",
)
BUILD_INFO = Metric(
    name="acuse_build_info",
    kind=Kind.GAUGE,
    labels=("version",),
    help="1, labelled with the version of acuse.",
)

METRICS = (
    ACCEPTED, REPLAYED, REFUSED, COMMIT_REQUESTS, COMMIT_DURATION, ATTEMPTS, RUN_DURATION, ENDED, REQUEST_DURATION,
    LEASES_LOST, WAITING, DELAYED, RUNNING, OLDEST_WAITING, STORE_UP, READY, BUILD_INFO,
)  # fmt: skip
