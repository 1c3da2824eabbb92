"""Workload: what the service is asked to do, and how long what it did is kept."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

HOURS = 730
"""Of a month, as AWS calculates."""
SECONDS = HOURS * 3_600
MAX_ITEM = 409_600
END_BYTES = 110
"""What an end adds to an item, beside the result: when, the attempts, a mark, and their names."""
MAX_RATE = 100_000.0
LONGEST_RUN = 43_200.0
"""SQS hides no message longer than 12 hours."""


class Unfit(ValueError):
    """Nothing can be said of what was asked for."""


class Capacity(StrEnum):
    """How the table's reads and writes are paid for."""

    ON_DEMAND = "on-demand"
    PROVISIONED = "provisioned"


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A steady month. Each field's description is its help on the command line."""

    requests_per_second: Annotated[
        float, Meta(ge=1e-7, le=MAX_RATE, description="new requests a second, the mean over the month")
    ] = 10.0
    item_bytes: Annotated[
        int,
        Meta(
            ge=1, le=MAX_ITEM, description="bytes of a request's item before it ended: what was received, and some 200"
        ),
    ] = 700
    result_bytes: Annotated[int, Meta(ge=0, le=65_536, description="bytes of a result, of each part's too")] = 200
    run_seconds: Annotated[
        float, Meta(ge=0, le=LONGEST_RUN, description="seconds of one run; of a split request, of each part's run")
    ] = 1.0
    worker_mb: Annotated[int, Meta(ge=256, le=10_240, description="MB of the worker function")] = 1_024
    parts: Annotated[int, Meta(ge=0, le=10_000, description="parts of each request; 0: not split")] = 0
    part_bytes: Annotated[
        int, Meta(ge=1, le=MAX_ITEM, description="bytes of a part's item before it ended: its value, and some 200")
    ] = 300
    bulk: Annotated[int, Meta(ge=1, le=4_000, description="requests in one POST")] = 1
    replay_share: Annotated[
        float, Meta(ge=0, le=100, description="requests sent again, for each new one (0.01: one of a hundred)")
    ] = 0.01
    log_bytes: Annotated[
        int, Meta(ge=0, description="bytes that actions write to the log for each request, beside the service's own")
    ] = 200
    log_months: Annotated[float, Meta(ge=0, le=120, description="months that logs are kept")] = 1.0
    storage_months: Annotated[float, Meta(ge=0, le=120, description="months that records are kept")] = 3.0
    purge: Annotated[
        bool, Meta(description="old records go by `acuse purge`, once a month, not with the table of their time")
    ] = False
    capacity: Annotated[Capacity, Meta(description="of the table")] = Capacity.ON_DEMAND
    utilisation: Annotated[
        float, Meta(gt=0, le=1, description="the mean use of provisioned capacity: what the peak leaves of it")
    ] = 0.5
    customer_key: Annotated[bool, Meta(description="a customer's own key in KMS encrypts table and queues")] = False

    def __post_init__(self) -> None:
        """Refuse what the service would refuse."""
        if max(self.ended_bytes, self.ended_part_bytes) > MAX_ITEM:
            raise Unfit(f"an item with its result is over {MAX_ITEM:,} bytes, the most that DynamoDB keeps in one")

    @property
    def requests(self) -> float:
        """New requests a month."""
        return self.requests_per_second * SECONDS

    @property
    def sent(self) -> float:
        """Requests a month that reach the service: the new ones and those sent again."""
        return self.requests * (1 + self.replay_share)

    @property
    def calls(self) -> float:
        """POSTs a month."""
        return self.sent / self.bulk

    @property
    def messages(self) -> float:
        """What a month sends to the queue: a run each, or a split, the parts and a merge."""
        return self.requests * (self.parts + 2 if self.parts else 1)

    @property
    def seconds_run(self) -> float:
        """Seconds a month that actions run. A split and a merge are taken to be short."""
        return self.requests * max(1, self.parts) * self.run_seconds

    @property
    def ended_bytes(self) -> int:
        """Bytes of a request's item when it has ended."""
        return self.item_bytes + self.result_bytes + END_BYTES

    @property
    def ended_part_bytes(self) -> int:
        """Bytes of a part's item when it has ended."""
        return self.part_bytes + self.result_bytes + END_BYTES

    def at(self, rate: float) -> Workload:
        """The same at another rate."""
        return msgspec.structs.replace(self, requests_per_second=rate)

    def lasting(self, seconds: float) -> Workload:
        """The same with runs of another length."""
        return msgspec.structs.replace(self, run_seconds=seconds)


def workload(values: dict[str, Any]) -> Workload:
    """The workload with these fields, the others by default. Raises Unfit."""
    try:
        return msgspec.convert(values, Workload)
    except msgspec.ValidationError as error:
        raise Unfit(str(error)) from error
