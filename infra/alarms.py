"""Alarms: all of them, and the topic that they tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import (
    ArnFormat,
    Aws,
    Duration,
    RemovalPolicy,
    Stack,
    aws_cloudwatch,
    aws_cloudwatch_actions,
    aws_iam,
    aws_kms,
    aws_sns,
    aws_sns_subscriptions,
)
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNBOOK = "docs/how-to/alarms.md"
KEY_PENDING = Duration.days(7)
"""No key is deleted sooner (KMS, "Deleting keys"); nothing under this one is kept."""
QUIET = aws_cloudwatch.TreatMissingData.NOT_BREACHING
"""Most metrics have no value while nothing happens."""


class Alarms(Construct):
    """The topic, under a key that CloudWatch may use, and the alarms that have been added."""

    def __init__(self, scope: Construct, name: str, *, email: str) -> None:
        super().__init__(scope, name)
        self._prefix = f"{Stack.of(self).stack_name}-"
        self._added: list[aws_cloudwatch.Alarm] = []
        self.topic = self._topic()
        if email:
            self.topic.add_subscription(aws_sns_subscriptions.EmailSubscription(email))
        self._action = aws_cloudwatch_actions.SnsAction(self.topic)

    @property
    def added(self) -> Sequence[aws_cloudwatch.Alarm]:
        """In the order in which they were added."""
        return self._added

    def add(
        self,
        name: str,
        metric: aws_cloudwatch.IMetric,
        *,
        means: str,
        above: float | None = None,
        below: float | None = None,
        periods: int = 1,
        out_of: int | None = None,
        section: str | None = None,
        missing: aws_cloudwatch.TreatMissingData = QUIET,
    ) -> None:
        """The topic is told when the metric is above, or below, in that many periods out of the latest.

        `section`: of the runbook; the one of the alarm's name, unless said.
        """
        is_above = aws_cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        is_below = aws_cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        threshold = above if above is not None else below
        if threshold is None:
            raise ValueError(f"{name}: above or below what?")
        alarm = aws_cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._prefix + name,
            alarm_description=f"{means} {RUNBOOK}#{section or name}",
            metric=metric,
            threshold=threshold,
            comparison_operator=is_above if above is not None else is_below,
            datapoints_to_alarm=periods,
            evaluation_periods=out_of or periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        self._added.append(alarm)

    def _topic(self) -> aws_sns.Topic:
        """The key that AWS has for topics lets no alarm use it, so the topic is under one of its own."""
        key = aws_kms.Key(
            self,
            "Key",
            description="What the alarms of acuse say",
            enable_key_rotation=True,
            pending_window=KEY_PENDING,
            removal_policy=RemovalPolicy.DESTROY,
        )
        # CDK's way to insist on TLS leaves a policy in which nobody else is allowed anything.
        topic = aws_sns.Topic(self, "Topic", display_name=f"{self._prefix}alarms", master_key=key, enforce_ssl=True)
        key.add_to_resource_policy(self._to_alarms(["kms:Decrypt", "kms:GenerateDataKey"], "*"))
        topic.add_to_resource_policy(self._to_alarms(["sns:Publish"], topic.topic_arn))
        return topic

    def _to_alarms(self, actions: Sequence[str], resource: str) -> aws_iam.PolicyStatement:
        """These alarms may do that, and no other's."""
        own = Stack.of(self).format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{self._prefix}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return aws_iam.PolicyStatement(
            principals=[aws_iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=list(actions),
            resources=[resource],
            conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}, "ArnLike": {"aws:SourceArn": own}},
        )
