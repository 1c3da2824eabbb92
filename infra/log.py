"""A log that is kept for a number of days, no longer, and goes with the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import RemovalPolicy, aws_logs

if TYPE_CHECKING:
    from constructs import Construct


def log_kept(scope: Construct, days: int) -> aws_logs.LogGroup:
    """The log group `Log` of that construct."""
    log = aws_logs.LogGroup(scope, "Log", removal_policy=RemovalPolicy.DESTROY)
    # The construct wants a name for the days, one of two dozen.
    cast("aws_logs.CfnLogGroup", log.node.default_child).retention_in_days = days
    return log
