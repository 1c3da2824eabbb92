"""What each part of the service may do, action by action (docs/reference/aws.md). Nothing else is granted anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam

from acuse.adapters.aws.tallies import IDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_kms, aws_sqs

    from infra.storage import StorageStack

    Conditions = Mapping[str, Mapping[str, Sequence[str]]]

API = ("BatchGetItem", "PartiQLInsert", "PutItem")
WORK = ("BatchGetItem", "PartiQLInsert", "PartiQLUpdate", "UpdateItem")
COUNT = ("PutItem", "UpdateItem")
"""Only of the items with the tallies."""
END = ("BatchGetItem", "PartiQLUpdate", "UpdateItem")
READ_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator")
SEND = ("GetQueueUrl", "SendMessage")
FEED = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
"""What Lambda does for a function that a queue calls (Lambda guide, "Using Lambda with Amazon SQS")."""
LOOK = ("BatchGetItem", "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive", "Query", "Scan")
RETRY = ("PartiQLUpdate", "UpdateItem")
LOOK_AT_QUEUE = ("GetQueueAttributes", "GetQueueUrl")
RECEIVE = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueUrl", "ReceiveMessage")
LEADING_KEYS = "dynamodb:LeadingKeys"
"""The partition keys that a call names: here, ids (DynamoDB guide, "Using IAM policy conditions")."""
OF_REQUESTS = "-".join("?" * digits for digits in (8, 4, 4, 4, 12))
"""Every id of a request has this form, and no other item's."""
USE_KEY = (
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)


def on_table(role: aws_iam.IRole, storage: StorageStack, actions: Sequence[str]) -> None:
    """The role may do that with the records."""
    _allow(role, "dynamodb", actions, storage.table.table_arn)
    on_key(role, storage.key)


def on_tallies(role: aws_iam.IRole, storage: StorageStack) -> None:
    """The role may add to the tallies, and to nothing else in the table."""
    _allow(role, "dynamodb", COUNT, storage.table.table_arn, _only("StringEquals", IDS))
    on_key(role, storage.key)


def to_operators(policy: aws_iam.ManagedPolicy, storage: StorageStack, queue: aws_sqs.IQueue) -> None:
    """Who has it may look at everything, and run again what failed; and change no keys, nor what else is no request."""
    table = storage.table.table_arn
    policy.add_statements(
        _allowed("dynamodb", LOOK, table),
        _allowed("dynamodb", ["Query"], storage.index_arn),
        _allowed("dynamodb", RETRY, table, _only("StringLike", [OF_REQUESTS])),
        _allowed("sqs", LOOK_AT_QUEUE, queue.queue_arn),
        _allowed("cloudwatch", ["GetMetricStatistics"], "*"),
        *([_allowed("kms", USE_KEY, storage.key.key_arn)] if storage.key else []),
    )


def on_stream(role: aws_iam.IRole, storage: StorageStack) -> None:
    """The role may read the changes of the table, from its newest stream or an older one that is not at its end."""
    _allow(role, "dynamodb", READ_STREAM, storage.stream_arn)
    # Lambda asks which streams the table has (SAM, "DynamoDBStreamReadPolicy").
    _allow(role, "dynamodb", ["ListStreams"], f"{storage.table.table_arn}/stream/*")
    on_key(role, storage.key, ["Decrypt"])


def on_queue(role: aws_iam.IRole, queue: aws_sqs.IQueue, actions: Sequence[str]) -> None:
    """The role may do that with the queue's messages."""
    _allow(role, "sqs", actions, queue.queue_arn)
    on_key(role, queue.encryption_master_key, ["Decrypt", "GenerateDataKey"])


def to_actions(role: aws_iam.Role, policies: Sequence[str]) -> None:
    """The role may do what these managed policies say, for the actions that run under it."""
    for place, arn in enumerate(policies):
        role.add_managed_policy(aws_iam.ManagedPolicy.from_managed_policy_arn(role, f"Policy{place}", arn))


def on_key(role: aws_iam.IRole, key: aws_kms.IKey | None, actions: Sequence[str] = USE_KEY) -> None:
    """The role may use the key, where there is one."""
    if key is not None:
        _allow(role, "kms", actions, key.key_arn)


def _only(operator: str, ids: Sequence[str]) -> Conditions:
    """Only of such items. What names none would do for all of none, so it must name one (IAM guide, "Null")."""
    return {f"ForAllValues:{operator}": {LEADING_KEYS: [*ids]}, "Null": {LEADING_KEYS: "false"}}


def _allow(
    role: aws_iam.IRole,
    service: str,
    actions: Sequence[str],
    resource: str,
    conditions: Conditions | None = None,
) -> None:
    role.add_to_principal_policy(_allowed(service, actions, resource, conditions))


def _allowed(
    service: str,
    actions: Sequence[str],
    resource: str,
    conditions: Conditions | None = None,
) -> aws_iam.PolicyStatement:
    return aws_iam.PolicyStatement(
        actions=[f"{service}:{action}" for action in actions], resources=[resource], conditions=conditions
    )
