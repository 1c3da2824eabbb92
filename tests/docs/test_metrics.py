"""The reference of the metrics says what the code counts: `python -m tests.docs.test_metrics` writes its table."""

from __future__ import annotations

import re
from pathlib import Path

from acuse.adapters.metrics.gauges import ALL
from acuse.adapters.metrics.metric import METRICS, Kind, Metric
from acuse.domain.event import GIVEN_BACK, RETRY
from acuse.domain.record import Reason, Status
from acuse.domain.task import Step
from acuse.entrypoints.api.problems import PROBLEMS
from acuse.entrypoints.counted import OUTCOMES

REFERENCE = Path(__file__).parents[2] / "docs/reference/metrics.md"
TABLE = re.compile(r"^\| metric \|.*?\n\n", re.DOTALL | re.MULTILINE)
BUCKETS = re.compile(r"^\| histogram \|.*?\n\n", re.DOTALL | re.MULTILINE)


def table() -> str:
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {one.kind} | {_labels(one)} | {one.help} |" for one in METRICS]
    return "\n".join(lines) + "\n\n"


def buckets() -> str:
    lines = ["| histogram | buckets: up to and including |", "|---|---|"]
    lines += [
        f"| `{one.name}` | {', '.join(f'{bound:,g}' if bound < 1 else f'{bound:,}' for bound in one.bounds)} |"
        for one in METRICS
        if one.kind is Kind.HISTOGRAM
    ]
    return "\n".join(lines) + "\n\n"


def filled(text: str) -> str:
    return BUCKETS.sub(buckets(), TABLE.sub(table(), text))


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


def test_every_metric_is_in_the_reference_and_no_other() -> None:
    text = REFERENCE.read_text("utf-8")

    assert filled(text) == text, "python -m tests.docs.test_metrics writes it"
    assert table() in text
    assert buckets() in text


def test_every_value_that_a_label_can_have_is_in_the_reference() -> None:
    text = REFERENCE.read_text("utf-8")
    told = dict(
        re.findall(r"^\| `(\w+)` \| (.*) \|$", text.partition("| label |")[2].partition("\n\n")[0], re.MULTILINE)
    )

    assert set(told) == {label for metric in METRICS for label in metric.labels}
    assert set(re.findall(r"`([a-z-]+)`", told["step"])) == set(Step)
    assert set(re.findall(r"`([a-z-]+)`", told["outcome"])) == {*OUTCOMES, RETRY, GIVEN_BACK}
    assert set(OUTCOMES) == {Status.FINISHED, *Reason}
    assert f"`{ALL}`" in told["action"]
    assert f"{len(PROBLEMS)} problems" in told["problem"]


if __name__ == "__main__":
    REFERENCE.write_text(filled(REFERENCE.read_text("utf-8")), "utf-8")
