"""The service on the local AWS: its table, its queues, its functions and its API."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.aws.local import LocalAws

HANDLERS = "acuse.entrypoints.lambdas"
RUNTIME = "python3.11"
ROLE = "arn:aws:iam::000000000000:role/acuse"
TIMEOUT_SECONDS = 30
STREAM_BATCH = 100
QUEUE_BATCH = 5
PARTLY = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}


class Stack:
    """It is there until the block is left. Its names are its own, so several can be there at once."""

    queue_url: str
    dead_letters_url: str
    api_url: str
    """What `/v1/requests` is appended to."""

    def __init__(
        self,
        aws: LocalAws,
        bundle: Path,
        *,
        environment: Mapping[str, str] = {},
        max_receive_count: int = 5,
        visibility: int = 30,
        worker_timeout: int = 20,
        has_worker: bool = True,
    ) -> None:
        self._name = f"acuse-{uuid.uuid4().hex[:12]}"
        self.table = self._name
        self.queue_name = self._name
        self._aws = aws
        self._environment = {
            # The local AWS would unpack the bundle for every process that it starts, 100 MB and more than a second
            # each. So the package is empty, and the functions find the bundle where it is.
            "PYTHONPATH": str(bundle.resolve()),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ACUSE_STORE": f"dynamodb://{self.table}",
            "ACUSE_QUEUE": f"sqs://{self.queue_name}",
            "ACUSE_ALLOW_ANYONE": "true",
            **environment,
        }
        self._max_receive_count = max_receive_count
        self._visibility = visibility
        self._worker_timeout = worker_timeout
        self._has_worker = has_worker
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with self._undo:
            self._dynamodb, self._sqs, self._lambda, self._gateway = (
                self._undo.enter_context(closing(self._aws.client(service)))
                for service in ("dynamodb", "sqs", "lambda", "apigatewayv2")
            )
            stream = self._create_table()
            self.dead_letters_url, dead_letters = self._create_queue(f"{self._name}-dead-letters")
            redrive = {"deadLetterTargetArn": dead_letters, "maxReceiveCount": str(self._max_receive_count)}
            self.queue_url, queue = self._create_queue(self.queue_name, RedrivePolicy=json.dumps(redrive))
            self.api_url = self._create_api(self._create_function("api"))
            self._feed(stream, self._create_function("relay"), BatchSize=STREAM_BATCH, StartingPosition="TRIM_HORIZON")
            if self._has_worker:
                worker = self._create_function("worker", self._worker_timeout)
                self._feed(queue, worker, BatchSize=QUEUE_BATCH, **PARTLY)
            self._feed(dead_letters, self._create_function("dead_letters"), **PARTLY)
            self._undo = self._undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _create_table(self) -> str:
        """The ARN of its stream."""
        keys = {"id": ("HASH", "S"), "_part": ("RANGE", "N")}
        created = self._dynamodb.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": name, "KeyType": role} for name, (role, _) in keys.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, (_, kind) in keys.items()],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self._undo.callback(self._dynamodb.delete_table, TableName=self.table)
        return str(created["TableDescription"]["LatestStreamArn"])

    def _create_queue(self, name: str, **attributes: str) -> tuple[str, str]:
        """Its address and its ARN."""
        attributes["VisibilityTimeout"] = str(self._visibility)
        url = self._sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self._undo.callback(self._sqs.delete_queue, QueueUrl=url)
        told = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, told["Attributes"]["QueueArn"]

    def _create_function(self, module: str, timeout: int = TIMEOUT_SECONDS) -> str:
        """Its ARN."""
        name = f"{self._name}-{module.replace('_', '-')}"
        created = self._lambda.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Role=ROLE,
            Handler=f"{HANDLERS}.{module}.handler",
            Code={"ZipFile": _empty_package()},
            Timeout=timeout,
            Environment={"Variables": self._environment},
        )
        self._undo.callback(self._lambda.delete_function, FunctionName=name)
        return str(created["FunctionArn"])

    def _feed(self, source: str, function: str, **options: Any) -> None:
        """What arrives at the source reaches the function."""
        created = self._lambda.create_event_source_mapping(EventSourceArn=source, FunctionName=function, **options)
        self._undo.callback(self._lambda.delete_event_source_mapping, UUID=created["UUID"])

    def _create_api(self, function: str) -> str:
        """The address under which all paths lead to the function."""
        api = self._gateway.create_api(Name=self._name, ProtocolType="HTTP")["ApiId"]
        self._undo.callback(self._gateway.delete_api, ApiId=api)
        integration = self._gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
        )
        self._gateway.create_route(
            ApiId=api, RouteKey="$default", Target=f"integrations/{integration['IntegrationId']}"
        )
        self._gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        return f"{self._aws.url}/_aws/execute-api/{api}/$default"


def _empty_package() -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("empty", "")
    return package.getvalue()
