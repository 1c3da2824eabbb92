"""Workloads and terms that the tests of the costs share."""

from __future__ import annotations

from infra.costs.assumptions import Assumptions
from infra.costs.profiles import Terms
from infra.costs.workload import SECONDS, Workload

from infra.costs import prices

IRELAND = prices.read().region("eu-west-1")
TERMS = Terms(Assumptions(), IRELAND)
A_MILLION = 1e6 / SECONDS
"""Requests a second that are a million a month."""
PLAIN = Workload(requests_per_second=A_MILLION, replay_share=0, log_bytes=0, storage_months=0)
