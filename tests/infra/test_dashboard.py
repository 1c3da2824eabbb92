import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.measured import PROFILES, Metric, assert_there, made_as
from tests.infra.stacks import Stacks

WIDTH = 24


@pytest.fixture(params=PROFILES)
def made(request: pytest.FixtureRequest) -> Stacks:
    return made_as(request.param)


def dashboard_of(made: Stacks) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Its widgets, with a word in the place of each reference, and what the words stand for."""
    (page,) = made.of_type("AWS::CloudWatch::Dashboard").values()
    references: dict[str, Any] = {}
    text = ""
    for part in page["DashboardBody"]["Fn::Join"][1]:
        word = part if isinstance(part, str) else f"reference-{len(references)}"
        references |= {} if isinstance(part, str) else {word: part}
        text += word
    return json.loads(text)["widgets"], references


def drawn(widget: dict[str, Any], references: dict[str, Any]) -> Iterator[Metric]:
    """The metrics of a graph."""
    for line in widget["properties"].get("metrics", []):
        words = [word for word in line if isinstance(word, str)]
        if words:
            names, values = words[2::2], words[3::2]
            dimensions = {name: references.get(value, value) for name, value in zip(names, values, strict=True)}
            yield Metric(words[0], words[1], dimensions)


def test_every_graph_shows_something_that_is_counted(made: Stacks) -> None:
    widgets, references = dashboard_of(made)
    for widget in widgets:
        for metric in drawn(widget, references):
            assert_there(metric, made)


def test_every_formula_of_a_graph_has_its_operands(made: Stacks) -> None:
    for widget in dashboard_of(made)[0]:
        options = [line[-1] for line in widget["properties"].get("metrics", []) if isinstance(line[-1], dict)]
        known = {one["id"] for one in options if "id" in one}
        for formula in (one["expression"] for one in options if "expression" in one):
            # A number may end as 1.5e-06.
            assert set(re.findall(r"(?<![\d.])\b[a-z]\w*\b", formula)) <= known, widget["properties"]["title"]


def test_widgets_fill_the_page_and_none_lies_upon_another(made: Stacks) -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard_of(made)[0]:
        x, y = widget["x"], widget["y"]
        squares = {(x + right, y + down) for right in range(widget["width"]) for down in range(widget["height"])}
        assert not squares & taken
        assert x + widget["width"] <= WIDTH
        taken |= squares
    assert len(taken) == WIDTH * (1 + max(y for _, y in taken)), "each row is as wide as the page"


def test_every_graph_has_a_title_and_a_unit_beside_each_axis_in_use(made: Stacks) -> None:
    for widget in dashboard_of(made)[0]:
        if widget["type"] != "metric":
            continue
        shown = widget["properties"]
        assert shown["title"]
        assert shown["yAxis"]["left"]["label"], shown["title"]
        on_the_right = any(isinstance(line[-1], dict) and line[-1].get("yAxis") == "right" for line in shown["metrics"])
        assert bool(shown["yAxis"].get("right", {}).get("label")) == on_the_right, shown["title"]


def test_the_dashboard_begins_with_the_state_of_all_alarms(made: Stacks) -> None:
    widgets, references = dashboard_of(made)
    first = min(widgets, key=lambda widget: (widget["y"], widget["x"]))
    assert first["type"] == "alarm"
    shown = [references[word]["Fn::GetAtt"][0] for word in first["properties"]["alarms"]]
    assert sorted(shown) == sorted(made.of_type("AWS::CloudWatch::Alarm"))
