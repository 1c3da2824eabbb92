"""Where the records are: a stack of its own, which no deployment of the service replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CfnOutput, RemovalPolicy, Stack, aws_dynamodb, aws_kms

from acuse.adapters.aws.failed import FAILED_AT, INDEX, PROJECTED, SHARD

if TYPE_CHECKING:
    from constructs import Construct

    from infra.deployment import Deployment

WARM_READS = 12_000
"""Read units a second for which a new table is ready (DynamoDB, "Warm throughput"); no fewer can be asked for."""


class StorageStack(Stack):
    """The table, with its stream, kept when the stack is deleted, and the key that it is under, if it is one's own."""

    def __init__(self, scope: Construct, name: str, deployment: Deployment) -> None:
        super().__init__(
            scope,
            name,
            termination_protection=True,
            description="acuse: the records of requests. What is here is kept when the stack is deleted.",
        )
        wanted = deployment.table
        self.key = (
            aws_kms.Key(
                self,
                "Key",
                description="The records and the queues of acuse",
                enable_key_rotation=True,
                removal_policy=RemovalPolicy.RETAIN,
            )
            if wanted.customer_key
            else None
        )
        self.table = aws_dynamodb.Table(
            self,
            "Table",
            partition_key=aws_dynamodb.Attribute(name="id", type=aws_dynamodb.AttributeType.STRING),
            sort_key=aws_dynamodb.Attribute(name="_part", type=aws_dynamodb.AttributeType.NUMBER),
            billing_mode=aws_dynamodb.BillingMode.PAY_PER_REQUEST,
            max_write_request_units=wanted.max_writes or None,
            warm_throughput=aws_dynamodb.WarmThroughput(
                read_units_per_second=WARM_READS, write_units_per_second=wanted.warm_writes
            )
            if wanted.warm_writes
            else None,
            stream=aws_dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            encryption=aws_dynamodb.TableEncryption.CUSTOMER_MANAGED
            if self.key
            else aws_dynamodb.TableEncryption.DEFAULT,
            encryption_key=self.key,
            point_in_time_recovery_specification=aws_dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )
        # What is in it are the requests that failed, and no others: each of them is one write more, and one on a retry.
        self.table.add_global_secondary_index(
            index_name=INDEX,
            partition_key=aws_dynamodb.Attribute(name=SHARD, type=aws_dynamodb.AttributeType.NUMBER),
            sort_key=aws_dynamodb.Attribute(name=FAILED_AT, type=aws_dynamodb.AttributeType.STRING),
            projection_type=aws_dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=list(PROJECTED),
        )
        CfnOutput(self, "TableName", value=self.table.table_name)

    @property
    def exported_arn(self) -> str:
        """The name under which other stacks find the table's ARN."""
        return cast("str", self.resolve(self.export_value(self.table.table_arn))["Fn::ImportValue"])

    @property
    def index_arn(self) -> str:
        """Of the index of what failed."""
        return f"{self.table.table_arn}/index/{INDEX}"

    @property
    def stream_arn(self) -> str:
        """Of the table's stream."""
        return cast("str", self.table.table_stream_arn)
