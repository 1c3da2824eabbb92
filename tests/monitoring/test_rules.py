"""The alert rules: Prometheus takes them, each fires when it must and only then, and says what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from acuse.adapters.metrics.metric import METRICS
from acuse.domain.record import Reason
from acuse.entrypoints.api.problems import PROBLEMS
from tests.docs.headings import slugs
from tests.monitoring.files import (
    CASES,
    FOLDER,
    PROMETHEUS,
    ROOT,
    RULES,
    RUNBOOK,
    alerts,
    dashboard,
    expressions,
    labels_in,
    names_in,
    panels,
    rules,
    series,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitoring.promtool import Promtool

FIRING = re.compile(r'alertname="(\w+)"')
ANNOTATIONS = re.compile(r"Annotations:\{(.*)\}$", re.MULTILINE)
OF_ALERTS = {"alertname", "alertstate"}
RISK = re.compile(r"\bRisk: (refused|late|lost|none)")
RECORDED = re.compile(r"\b[a-z_]+:\w+:\w+\b")
LABELS = {label for metric in METRICS for label in metric.labels} | {"job", "instance", "le", "kind", *OF_ALERTS}
VALUES = {
    "outcome": {"finished", "retry", "given-back", *Reason},
    "problem": {problem.slug for problem in PROBLEMS},
    "check": {"intake", "worker.*"},
}
"""What a rule or a panel may ask for by name."""


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.yaml.decode(CASES.read_bytes())["tests"]
    return found


def test_prometheus_takes_the_rules_and_the_example(promtool: Promtool) -> None:
    promtool.accepts("check", "rules", "--lint=all", "--lint-fatal", RULES)
    promtool.accepts("check", "config", "--lint=all", "--lint-fatal", FOLDER / "prometheus.yml")


def test_each_alert_fires_when_it_must_and_is_quiet_when_it_must(promtool: Promtool) -> None:
    promtool.accepts("test", "rules", CASES)


def test_every_alert_has_a_time_at_which_it_fires_and_one_at_which_it_does_not() -> None:
    fire, quiet = set(), set()
    for case in cases():
        for look in case["promql_expr_test"]:
            firing = {FIRING.findall(sample["labels"])[0] for sample in look.get("exp_samples", [])}
            fire |= firing
            quiet |= {name for name in alerts() if name in case["name"]} - firing

    assert fire == quiet == set(alerts())


def test_what_an_alert_says_can_be_read_and_says_what_is_at_risk_and_where_to_look(
    promtool: Promtool, tmp_path: Path
) -> None:
    """Promtool shows what an alert says only where something else was expected; so nothing is."""
    asked = cases()
    for case in asked:
        case["alert_rule_test"] = [
            {"eval_time": look["eval_time"], "alertname": FIRING.findall(sample["labels"])[0]}
            for look in case.pop("promql_expr_test")
            for sample in look.get("exp_samples", [])
        ]
    told = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": asked}
    (tmp_path / "told.yml").write_bytes(msgspec.yaml.encode(told))

    said = ANNOTATIONS.findall(promtool("test", "rules", tmp_path / "told.yml").stderr)

    assert len(said) >= len(alerts())
    for one in said:
        parts = dict(re.findall(r'(description|runbook|summary)="((?:[^"\\]|\\.)*)"', one))
        assert set(parts) == {"description", "runbook", "summary"}, one
        assert "{{" not in one
        assert "error expanding" not in one
        assert "no value" not in one
        assert RISK.search(parts["description"]), one
        assert parts["summary"].endswith(".")


def test_every_alert_says_how_grave_it_is_and_leads_to_a_section_and_every_section_is_led_to() -> None:
    text = RUNBOOK.read_text()
    runbook = text[text.index("## When an alert comes") :]
    sections = set(re.findall(r"^### (.+)$", runbook, re.MULTILINE))
    led_to = set()
    for name, alert in alerts().items():
        page, section = alert["annotations"]["runbook"].split("#")
        assert ROOT / page == RUNBOOK
        assert section in slugs(text), name
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert f"`{name}`" in re.split(r"^### ", runbook, flags=re.MULTILINE)[1 + _at(runbook, section)], name
        led_to.add(section)

    assert led_to == sections


def _at(runbook: str, section: str) -> int:
    return re.findall(r"^### (.+)$", runbook, re.MULTILINE).index(section)


def test_every_section_of_the_runbook_says_what_is_at_risk_and_what_to_do() -> None:
    _, *sections = re.split(r"^### ", RUNBOOK.read_text().split("## When an alert comes")[1], flags=re.MULTILINE)

    for section in sections:
        assert "\n- Risk: " in section
        assert "\n- Do: " in section


def test_what_the_rules_and_the_dashboard_ask_for_is_there() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for panel in panels():
        assert set(re.findall(r"{{(\w+)}}", str(panel["targets"]))) <= LABELS, panel["title"]
    for expression in (*(rule["expr"] for rule in rules()), *expressions(dashboard())):
        assert names_in(expression) <= {*series(), *PROMETHEUS}, expression
        assert set(RECORDED.findall(expression)) <= recorded, expression
        assert names_in(expression) or RECORDED.search(expression)
        assert labels_in(expression) <= LABELS, expression
        for label, asked in re.findall(r'(outcome|problem|check)[!=]=?~?"([^"]*)"', expression):
            assert set(asked.split("|")) <= VALUES[label], expression
