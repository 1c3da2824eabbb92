"""Assumptions: what the workload does not say and the price depends on. None was measured in AWS; each can be set."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from infra.costs.workload import Unfit

MOST = 1_000_000
Positive = Meta(gt=0, le=MOST)
NotNegative = Meta(ge=0, le=MOST)


class Assumptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes are the defaults of the stack; times and rates are estimates."""

    api_mb: Annotated[int, Positive, Meta(description="MB of the function `api`")] = 512
    api_seconds: Annotated[float, NotNegative, Meta(description="seconds of the function `api` for a POST")] = 0.03
    api_item_seconds: Annotated[
        float, NotNegative, Meta(description="seconds more for each further request in the POST")
    ] = 0.001
    relay_mb: Annotated[int, Positive, Meta(description="MB of the function `relay`")] = 512
    relay_seconds: Annotated[float, NotNegative, Meta(description="seconds of a call of the relay")] = 0.04
    relay_batch: Annotated[int, Meta(ge=1, le=10_000, description="changes in a call of the relay at most")] = 100
    stream_shards: Annotated[
        float, Positive, Meta(description="shards of the stream at least; one more for each 1,000 writes a second")
    ] = 4
    stream_polls: Annotated[float, Positive, Meta(description="polls of a shard in a second, by Lambda")] = 4
    worker_seconds: Annotated[
        float, NotNegative, Meta(description="seconds of a worker for each message, beside the run")
    ] = 0.05
    worker_batch: Annotated[float, Meta(ge=1, le=10, description="messages in a call of the function `worker`")] = 1
    idle_polls: Annotated[
        float, NotNegative, Meta(description="requests a minute with which Lambda polls a queue that is empty")
    ] = 15
    answer_bytes: Annotated[int, NotNegative, Meta(description="bytes of an answer's head; its body is the record")] = (
        400
    )
    internet_share: Annotated[
        float, Meta(ge=0, le=1, description="share of the answers that leave AWS for the internet")
    ] = 1.0
    log_compression: Annotated[
        float, Meta(gt=0, le=1, description="share of a log's bytes that are stored, compressed")
    ] = 0.15
    access_bytes: Annotated[int, NotNegative, Meta(description="bytes of a POST in the access log of the HTTP API")] = (
        240
    )
    count_bytes: Annotated[
        int, NotNegative, Meta(description="bytes of what a call of the relay writes for the metrics of one's own")
    ] = 360
    tally_bytes: Annotated[
        int, Positive, Meta(description="bytes of the item with the tallies of ten seconds: some 60 kinds in 1 KB")
    ] = 1_000
    function_alarms: Annotated[
        int, NotNegative, Meta(description="metrics that alarms of profile lambda look at; each is billed as an alarm")
    ] = 37
    container_alarms: Annotated[
        int, NotNegative, Meta(description="the same of profile fargate, with those that ECS scales by")
    ] = 46
    metrics: Annotated[int, NotNegative, Meta(description="metrics of one's own")] = 4
    container_metrics: Annotated[
        int, NotNegative, Meta(description="metrics of a cluster with two services, billed as one's own")
    ] = 63
    topic_keys: Annotated[int, NotNegative, Meta(description="keys in KMS for what the alarms say")] = 1
    dashboards: Annotated[int, NotNegative, Meta(description="dashboards")] = 1
    api_tasks: Annotated[float, Positive, Meta(description="tasks of the intake at least")] = 2
    api_task_vcpu: Annotated[float, Positive, Meta(description="vCPU of one")] = 0.5
    api_task_gb: Annotated[float, Positive, Meta(description="GB of one")] = 1
    api_task_rate: Annotated[
        float, Positive, Meta(description="POSTs of one request a second that one takes, with room for a peak")
    ] = 100
    worker_tasks: Annotated[float, NotNegative, Meta(description="tasks of workers at least; these are not Spot")] = 1
    worker_task_vcpu: Annotated[float, Positive, Meta(description="vCPU of one")] = 1
    worker_task_gb: Annotated[
        float, Positive, Meta(description="GB of one; task and vCPU grow where the runs' memory does not fit")
    ] = 4
    runners: Annotated[float, Meta(ge=1, description="runs at once in one")] = 2
    busy_share: Annotated[
        float, Meta(gt=0, le=1, description="share of the time that runners run; the rest is scaling and waiting")
    ] = 0.7
    spot_share: Annotated[float, Meta(ge=0, le=1, description="share of Spot in the tasks of workers above these")] = (
        0.75
    )
    visibility: Annotated[float, Positive, Meta(description="seconds of a lease; renewed four times as often")] = 30
    poll_seconds: Annotated[float, Positive, Meta(description="seconds of a container's poll of an empty queue")] = 5
    endpoints: Annotated[
        int, NotNegative, Meta(description="interface endpoints: SQS, ECR (two), logs; DynamoDB's and S3's are free")
    ] = 4
    zones: Annotated[int, Meta(ge=1, description="availability zones, with an address and endpoints each")] = 2
    public_addresses: Annotated[bool, Meta(description="the load balancer can be reached from the internet")] = False
    connection_requests: Annotated[
        float, Positive, Meta(description="POSTs on one connection to the load balancer")
    ] = 10


def assumptions(values: dict[str, str]) -> Assumptions:
    """These over the defaults, from text. Raises Unfit."""
    try:
        return msgspec.convert(values, Assumptions, strict=False)
    except msgspec.ValidationError as error:
        raise Unfit(str(error)) from error
