"""Graph: a widget of the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk.aws_cloudwatch import GraphWidget, HorizontalAnnotation, YAxisProps

from infra.metrics import MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import Duration
    from aws_cdk.aws_cloudwatch import IMetric, Metric
    from aws_cdk.aws_cloudwatch import MathExpression as Math

WIDTH = 24
"""Of the page (CloudWatch, "Dashboard body structure and syntax")."""
THIRD = WIDTH // 3
HEIGHT = 6


def graph(
    title: str,
    unit: str,
    lines: Mapping[str, Metric | Math],
    *,
    right: Mapping[str, Metric | Math] | None = None,
    right_unit: str = "",
    period: Duration = MINUTE,
    limit: float = 0,
    limit_is: str = "alarm",
) -> GraphWidget:
    """A third of a row. `limit`: a line across, if it is not 0."""
    return GraphWidget(
        title=title,
        width=THIRD,
        height=HEIGHT,
        period=period,
        left=_labelled(lines, period),
        left_y_axis=YAxisProps(label=unit, min=0, show_units=False),
        left_annotations=[HorizontalAnnotation(value=limit, label=limit_is)] if limit else [],
        right=_labelled(right or {}, period),
        right_y_axis=YAxisProps(label=right_unit, min=0, show_units=False) if right else None,
    )


def _labelled(lines: Mapping[str, Metric | Math], period: Duration) -> list[IMetric]:
    return [metric.with_(label=label, period=period) for label, metric in lines.items()]
