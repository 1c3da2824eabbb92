"""What each part of the service may do, action by action (docs/reference/aws.md). Nothing else is granted anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_kms, aws_sqs

    from infra.storage import StorageStack

API = ("BatchGetItem", "PartiQLInsert", "PutItem")
WORK = ("BatchGetItem", "PartiQLInsert", "PartiQLUpdate", "UpdateItem")
END = ("BatchGetItem", "PartiQLUpdate", "UpdateItem")
READ_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator")
SEND = ("GetQueueUrl", "SendMessage")
FEED = ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
"""What Lambda does for a function that a queue calls (Lambda guide, "Using Lambda with Amazon SQS")."""
RECEIVE = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueUrl", "ReceiveMessage")
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


def _allow(role: aws_iam.IRole, service: str, actions: Sequence[str], resource: str) -> None:
    role.add_to_principal_policy(
        aws_iam.PolicyStatement(actions=[f"{service}:{action}" for action in actions], resources=[resource])
    )
