"""From the table's stream to the end of a request: the relay, the queue, and who ends what nobody could."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import Duration, RemovalPolicy, aws_lambda, aws_sqs
from constructs import Construct

from acuse.adapters.aws.tallies import IDS as TALLIES
from infra import grants, nag
from infra.function import Function

if TYPE_CHECKING:
    from infra.bundle import Code
    from infra.deployment import Deployment
    from infra.storage import StorageStack

MEMORY = 512
TIMEOUT = Duration.seconds(60)
"""Of relay and dead letters: some times the patience with which they call DynamoDB and SQS."""
VISIBILITY_TIMES = 6
"""A queue hides a message for six times the function's timeout (Lambda guide, "Using Lambda with Amazon SQS")."""
KEPT = Duration.days(12)
DEAD_KEPT = Duration.days(14)
"""A dead letter keeps the time of its first sending, so its queue keeps it longer (SQS guide, "Dead-letter queues")."""
RELAY_BATCH = 100
RELAY_SHARE = 4
"""Batches of one shard at once; those of one item stay in order."""
RELAY_ATTEMPTS = 200
"""Each tries for as long as the service's patience: a queue that cannot be reached for half an hour loses nothing."""
RELAY_AGE = Duration.hours(20)
"""A stream forgets after a day. What is told of before that can be sent again by `acuse requeue`."""
OF_INTEREST = {
    "eventName": ["INSERT", "MODIFY"],
    "dynamodb": {"Keys": {"id": {"S": [{"anything-but": TALLIES}]}}},
}
"""Of the changes of the table: what the relay itself writes does not call it. All else does, so that a relay that is
not called while others write is one that should have been."""
DEAD_BATCH = 10
PARTLY = ["ReportBatchItemFailures"]
_Source = aws_lambda.CfnEventSourceMapping
"""Of its properties: what is handed over as a plain dictionary loses its names in snake case, without a word."""


class Processing(Construct):
    """The queue that the table's stream fills, and the dead-letter queue, in which everything ends as failed."""

    def __init__(
        self, scope: Construct, name: str, *, deployment: Deployment, storage: StorageStack, code: Code
    ) -> None:
        super().__init__(scope, name)
        self._deployment = deployment
        self._storage = storage
        self._code = code
        self.undelivered = self._queue("Undelivered", DEAD_KEPT)
        nag.accept(self.undelivered, "SQS3", "it is where what failed ends; an alarm tells when something does")
        self.dead_letters = self._queue("DeadLetters", DEAD_KEPT, served_in=TIMEOUT)
        self.queue = self._queue(
            "Queue",
            KEPT,
            served_in=Duration.seconds(deployment.worker.seconds),
            dead_letter_queue=aws_sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=deployment.worker.receives
            ),
        )
        self.environment = deployment.environment(storage.table.table_name, self.queue.queue_name)
        self.relay = self._relay()
        self.end = self._end()

    def work(self, function: Function, *, concurrency: int, batch: int) -> None:
        """The queue calls the function with what is to be run."""
        grants.on_table(function.role, self._storage, grants.WORK)
        grants.on_queue(function.role, self.queue, grants.SEND)
        grants.on_queue(function.role, self.queue, grants.FEED)
        function.feed(
            self.queue.queue_arn,
            batch_size=batch,
            scaling_config=_Source.ScalingConfigProperty(maximum_concurrency=concurrency),
            function_response_types=PARTLY,
        )

    def _relay(self) -> Function:
        relay = self._function("Relay", "relay", "Sends to the queue what has become due in the table")
        grants.on_stream(relay.role, self._storage)
        nag.accept(
            relay.role,
            f"IAM5[Resource::{self._storage.exported_arn}/stream/*]",
            "ListStreams names no single stream; those of this one table are all that the relay may list",
        )
        grants.on_queue(relay.role, self.queue, grants.SEND)
        grants.on_queue(relay.role, self.undelivered, ["SendMessage"])
        grants.on_tallies(relay.role, self._storage)
        relay.feed(
            self._storage.stream_arn,
            batch_size=RELAY_BATCH,
            starting_position="TRIM_HORIZON",
            parallelization_factor=RELAY_SHARE,
            maximum_retry_attempts=RELAY_ATTEMPTS,
            maximum_record_age_in_seconds=RELAY_AGE.to_seconds(),
            bisect_batch_on_function_error=True,
            destination_config=_Source.DestinationConfigProperty(
                on_failure=_Source.OnFailureProperty(destination=self.undelivered.queue_arn)
            ),
            filter_criteria=_Source.FilterCriteriaProperty(
                filters=[_Source.FilterProperty(pattern=json.dumps(OF_INTEREST))]
            ),
        )
        return relay

    def _end(self) -> Function:
        end = self._function("End", "dead_letters", "Ends as failed what was delivered again and again")
        grants.on_table(end.role, self._storage, grants.END)
        grants.on_queue(end.role, self.dead_letters, grants.FEED)
        end.feed(self.dead_letters.queue_arn, batch_size=DEAD_BATCH, function_response_types=PARTLY)
        return end

    def _queue(
        self,
        name: str,
        kept: Duration,
        *,
        served_in: Duration | None = None,
        dead_letter_queue: aws_sqs.DeadLetterQueue | None = None,
    ) -> aws_sqs.Queue:
        key = self._storage.key
        return aws_sqs.Queue(
            self,
            name,
            retention_period=kept,
            visibility_timeout=Duration.seconds(VISIBILITY_TIMES * served_in.to_seconds()) if served_in else None,
            receive_message_wait_time=Duration.seconds(20),
            dead_letter_queue=dead_letter_queue,
            encryption=aws_sqs.QueueEncryption.KMS if key else aws_sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=key,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _function(self, name: str, module: str, description: str) -> Function:
        return Function(
            self,
            name,
            module=module,
            code=self._code,
            environment=self.environment,
            memory=MEMORY,
            timeout=TIMEOUT,
            log_days=self._deployment.log_days,
            description=description,
        )
