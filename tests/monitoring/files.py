"""What is in the folder `monitoring`, as the tests look at it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from acuse.adapters.metrics.metric import METRICS, Kind

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "monitoring"
RULES = FOLDER / "alerts.yml"
CASES = FOLDER / "alerts_test.yml"
RUNBOOK = ROOT / "docs" / "how-to" / "monitor.md"
PROMETHEUS = frozenset({"up", "ALERTS"})
"""What Prometheus itself makes."""
NAME = re.compile(r"\b(acuse_\w+|up|ALERTS)\b(?=[{\[\s),]|$)")
OF_HISTOGRAM = ("_bucket", "_count", "_sum")


def rules() -> list[dict[str, Any]]:
    """Every rule, as it is written."""
    groups = msgspec.yaml.decode(RULES.read_bytes())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard() -> dict[str, Any]:
    """As it is imported."""
    found: dict[str, Any] = msgspec.json.decode((FOLDER / "grafana-dashboard.json").read_bytes())
    return found


def names_in(expression: str) -> set[str]:
    """The metrics that the expression asks for."""
    return set(NAME.findall(re.sub(r"by \([^)]*\)|\"[^\"]*\"", "", expression)))


def labels_in(expression: str) -> set[str]:
    """The labels that it goes by, or picks."""
    by = [one.strip() for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for one in group.split(",")]
    return {*by, *re.findall(r"(\w+)[!=]=?~?\"", expression)}


def series() -> dict[str, str]:
    """The name of each series that the service has, and of the metric that it belongs to."""
    found = {}
    for metric in METRICS:
        suffixes = OF_HISTOGRAM if metric.kind is Kind.HISTOGRAM else ("",)
        found.update({metric.name + suffix: metric.name for suffix in suffixes})
    return found


def panels() -> list[dict[str, Any]]:
    """What the dashboard shows, without the headings."""
    return [one for one in dashboard()["panels"] if one["type"] != "row"]


def expressions(found: dict[str, Any]) -> list[str]:
    """All that the dashboard asks for: in panels and for the marks of alerts."""
    shown = [target["expr"] for panel in found["panels"] for target in panel.get("targets", [])]
    return [*shown, *(one["expr"] for one in found["annotations"]["list"] if "expr" in one)]


def filled(expression: str) -> str:
    """As Grafana asks for it, for one service and all its actions."""
    for name, value in {"$__rate_interval": "5m", "$job": "acuse", "$action": ".*"}.items():
        expression = expression.replace(name, value)
    return expression
