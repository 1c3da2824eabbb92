"""The dashboard: Grafana can import it, every panel asks for something that is there, and nothing is left out."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from acuse.adapters.metrics.metric import METRICS
from tests.acceptance.service import Running
from tests.monitoring.files import dashboard, expressions, filled, names_in, panels, series

if TYPE_CHECKING:
    from pathlib import Path

    from tests.monitoring.promtool import Promtool

WIDTH = 24


def test_every_panel_has_an_id_a_place_a_title_and_what_it_means() -> None:
    found = [*panels(), *(one for one in dashboard()["panels"] if one["type"] == "row")]

    assert [count for count in Counter(one["id"] for one in found).values() if count > 1] == []
    assert [count for count in Counter(one["title"] for one in found).values() if count > 1] == []
    for one in found:
        assert one["title"]
        assert one["type"] == "row" or one["description"].endswith("."), one["title"]


def test_no_panel_lies_over_another_and_none_beyond_the_edge() -> None:
    places = [one["gridPos"] for one in dashboard()["panels"]]

    assert all(one["x"] >= 0 and one["x"] + one["w"] <= WIDTH and one["w"] > 0 and one["h"] > 0 for one in places)
    assert all(not _overlap(*pair) for pair in combinations(places, 2))


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in (("x", "w"), ("y", "h"))
    )


def test_every_target_asks_the_data_source_that_was_chosen_and_every_figure_has_a_unit() -> None:
    for panel in panels():
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for asking in (panel, *panel["targets"]):
            assert asking["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert all(target["expr"] for target in panel["targets"])


def test_it_can_be_imported_anywhere_and_every_variable_that_is_used_is_there() -> None:
    found = dashboard()
    variables = {one["name"]: one for one in found["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", msgspec.json.encode(found).decode()))

    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert used == set(variables)
    assert found["id"] is None
    assert found["title"] == "acuse"
    assert {one["id"] for one in found["__requires"] if one["type"] == "panel"} == {one["type"] for one in panels()}


def test_every_metric_of_the_service_is_on_it() -> None:
    shown = {series()[name] for one in expressions(dashboard()) for name in names_in(one) if name in series()}

    assert shown == {metric.name for metric in METRICS}


def test_every_expression_can_be_read_by_prometheus(promtool: Promtool, tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": filled(one)} for number, one in enumerate(expressions(dashboard()))]
    file = tmp_path / "rules.yml"
    file.write_bytes(msgspec.yaml.encode({"groups": [{"name": "panels", "rules": rules}]}))

    promtool.accepts("check", "rules", "--lint=all", "--lint-fatal", file)
    assert len(rules) > len(METRICS)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """What two scrapes of a service that works find, as Prometheus would have it."""
    looks = []
    with Running(tmp_path_factory.mktemp("scraped") / "data", "--workers", 1) as service:
        for _ in range(2):
            service.ended(service.accept())
            service.ended(service.accept(action="misbehaves", how="refuses"))
            service.ended(service.accept(action="misbehaves", how="postpones"))
            assert service.post(action="nobody").status_code == 422
            metrics = httpx.get(service.health.replace("health/ready", "metrics")).text
            looks.append(
                {
                    sample.name + msgspec.json.encode(sample.labels).decode(): sample.value
                    for family in text_string_to_metric_families(metrics)
                    for sample in family.samples
                }
            )
    first, second = looks
    found = [{"series": 'up{job="acuse", instance="a"}', "values": "1 1"}]
    for key, value in second.items():
        name, labels = key.split("{", 1)
        named = {"job": "acuse", "instance": "a", **msgspec.json.decode("{" + labels)}
        written = ", ".join(f'{label}="{one}"' for label, one in named.items())
        before = f"{first[key]:g}" if key in first else "_"
        found.append({"series": f"{name}{{{written}}}", "values": f"{before} {value:g}"})
    return found


def test_every_panel_finds_something_in_a_service_that_works(
    promtool: Promtool, tmp_path: Path, scraped: list[dict[str, str]]
) -> None:
    """Promtool tells what it found only where something else was expected: here, a value that nothing has."""
    asked = [filled(one) for one in expressions({**dashboard(), "annotations": {"list": []}})]
    looks = [{"expr": one, "eval_time": "1m", "exp_samples": [{"labels": "nothing", "value": -1}]} for one in asked]
    case = {"interval": "1m", "input_series": scraped, "promql_expr_test": looks}
    file = tmp_path / "found.yml"
    file.write_bytes(msgspec.yaml.encode({"rule_files": [], "evaluation_interval": "1m", "tests": [case]}))

    said = promtool("test", "rules", file)

    told = re.findall(r'expr: "(.*)", time: 1m,\n +exp:.*\n +got:(.*)', said.stdout + said.stderr)
    assert len(told) == len(asked), said.stdout + said.stderr
    assert {one for one, got in told if got.strip() == "nil"} == set()
