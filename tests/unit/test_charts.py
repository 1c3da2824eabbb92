"""Charts, as the XML that they are."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from acuse.entrypoints.ops.charts import (
    Bar,
    Line,
    Plot,
    Stretch,
    Tick,
    barred,
    document,
    nice_above,
    plotted,
    stretched,
)

HOSTILE = "<script>alert('\"')</script>&"
BELOW = [Tick(0, "then"), Tick(0.5, "&"), Tick(1, "now")]


def plot(*values: float | None, logarithmic: bool = False, filled: bool = False, told: str = "a line") -> Plot:
    line = Line(name="one", look="accepted", values=values, filled=filled)
    return Plot(told=told, lines=[line], below=BELOW, label=lambda value: f"{value:g} s", logarithmic=logarithmic)


def tree(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  (it is our own)


def paths(svg: str, look: str = "line") -> list[str]:
    return [path.attrib["d"] for path in tree(svg).iter("path") if look in path.attrib["class"].split()]


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in tree(svg).iter("text")]


def test_a_chart_is_an_image_that_is_told_in_a_sentence() -> None:
    for svg in (plotted(plot(1, 2, told=HOSTILE)), barred(HOSTILE, []), stretched(HOSTILE, [], BELOW)):
        root = tree(svg)

        assert (root.tag, root.attrib["role"], root.attrib["aria-label"]) == ("svg", "img", HOSTILE)


def test_no_style_is_said_where_a_page_may_not_have_one() -> None:
    bars, stretches = [Bar(name="a", said="b", pieces=[(1, "waiting")])], [Stretch(start=0, end=1, look="x", name="y")]
    for svg in (plotted(plot(1, None, 2, filled=True)), barred("", bars), stretched("", stretches, BELOW)):
        assert all("style" not in one.attrib and one.tag != "style" for one in tree(svg).iter())


def test_lines_go_from_nothing_to_the_next_round_number() -> None:
    svg = plotted(plot(0, 9, 5))

    assert paths(svg) == ["M0 160.0L1 16.0L2 80.0"]
    assert texts(svg) == ["5 s", "10 s", "then", "&", "now"]


@pytest.mark.parametrize("values", [(50, 100), (10, 100, 1_000, 10_000)], ids=["linear", "logarithmic"])
def test_a_label_stands_at_the_height_of_its_value(values: tuple[float, ...]) -> None:
    svg = plotted(plot(*values, logarithmic=len(values) > 2))
    [top] = [float(one.attrib["y"]) for one in tree(svg).iter("svg") if "viewBox" in one.attrib]
    heights = [float(point.split()[1]) for point in paths(svg)[0].removeprefix("M").split("L")]
    labels = {text.text: float(text.attrib["y"]) for text in tree(svg).iter("text") if text.attrib["class"] == "tick"}
    above = labels[f"{values[-1]:g} s"] - heights[-1]

    assert {float(one.attrib["y1"]) for one in tree(svg).iter("line")} >= {top + height for height in heights}
    for value, height in zip(values, heights, strict=True):
        assert labels.get(f"{value:g} s", height + above) == pytest.approx(height + above)


def test_where_nothing_came_to_pass_the_line_is_at_the_bottom() -> None:
    assert paths(plotted(plot(0, 0))) == ["M0 160.0L1 160.0"]
    assert paths(plotted(plot())) == []
    assert paths(plotted(Plot(told="", lines=[], below=[], label=str))) == []


def test_a_gap_interrupts_a_line_and_one_value_alone_is_still_seen() -> None:
    first, second = paths(plotted(plot(4, 4, None, None, 1, None)))

    assert first == "M0 0.0L1 0.0"
    assert second == "M3.7 120.0L4.3 120.0"


def test_an_area_goes_down_to_nothing() -> None:
    assert paths(plotted(plot(0, 10, filled=True)), "area") == ["M0 160L0 160.0L1 0.0V160Z"]


def test_decades_hold_all_values_and_are_two_at_least() -> None:
    svg = plotted(plot(0.02, 0.5, logarithmic=True))
    assert texts(svg)[:3] == ["0.1 s", "1 s", "then"]
    assert paths(svg) == ["M0 135.9L1 24.1"]

    assert texts(plotted(plot(3, logarithmic=True)))[:3] == ["10 s", "100 s", "then"]
    assert texts(plotted(plot(0.001, 3_000, logarithmic=True)))[:7] == [f"{10.0**power:g} s" for power in range(-2, 5)]


def test_in_decades_nothing_is_at_the_bottom() -> None:
    assert paths(plotted(plot(0, 100, logarithmic=True))) == ["M0 160.0L1 160.0"]
    assert texts(plotted(plot(0, logarithmic=True)))[:3] == ["10 s", "100 s", "then"]


@pytest.mark.parametrize(
    ("value", "above"),
    [(0, 1), (-1, 1), (1, 1), (1.1, 1.2), (9.9, 10), (10, 10), (11, 12), (230, 240), (0.0031, 0.004), (0.3, 0.3)],
)
def test_an_axis_ends_at_a_round_number(value: float, above: float) -> None:
    assert nice_above(value) == pytest.approx(above)


def test_bars_share_one_scale_and_their_pieces_follow_each_other() -> None:
    svg = barred("", [
        Bar(name=HOSTILE, said="many", pieces=[(10, "running"), (30, "waiting"), (0, "delayed")]),
        Bar(name="few", said="20", pieces=[(0, "running"), (20, "waiting")]),
    ])  # fmt: skip

    bars = [
        (one.attrib["class"], one.attrib["x"], one.attrib["width"])
        for one in tree(svg).iter("rect")
        if one.attrib["class"] != "track"
    ]
    assert bars == [
        ("running", "0.000%", "25.000%"), ("waiting", "25.000%", "75.000%"), ("waiting", "0.000%", "50.000%"),
    ]  # fmt: skip
    assert texts(svg) == [HOSTILE, "many", "few", "20"]


def test_bars_without_a_length_are_none() -> None:
    assert "waiting" not in barred("", [Bar(name="none", said="0", pieces=[(0, "waiting")])])


def test_a_stretch_lasts_from_where_to_where_and_is_never_too_short_to_be_seen() -> None:
    svg = stretched("", [
        Stretch(start=0.25, end=0.75, look="finished", name=HOSTILE), Stretch(start=1, end=1, look="failed", name="b"),
    ], BELOW)  # fmt: skip

    first, second = tree(svg).iter("rect")
    assert (first.attrib["x"], first.attrib["width"], first.attrib["class"]) == ("25.000%", "50.000%", "finished")
    assert float(second.attrib["width"].rstrip("%")) > 0
    assert first.findtext("title") == HOSTILE
    assert float(second.attrib["y"]) > float(first.attrib["y"])


def test_many_stretches_become_thin_and_stay_apart() -> None:
    tall = [
        float(tree(stretched("", [Stretch(start=0, end=1, look="x", name="")] * count, BELOW)).attrib["height"])
        for count in (1, 10, 100)
    ]

    assert tall == sorted(tall)
    assert tall[-1] < 450


def test_a_document_stands_alone_with_its_style_and_the_names_of_its_lines() -> None:
    root = tree(document(plot(1, 2), HOSTILE))
    names = {"svg": "http://www.w3.org/2000/svg"}

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert ".chart" in (root.findtext("svg:style", namespaces=names) or "")
    found = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert found[:2] == [HOSTILE, "one"]
    assert float(root.attrib["width"]) == 720
