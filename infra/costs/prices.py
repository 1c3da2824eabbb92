"""Prices: what a region asks for each thing that is billed, with where that was read, and when."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from infra.costs.workload import Unfit

FILE = Path(__file__).parent / "prices.json"


class Item(StrEnum):
    """What is billed. Each region of the file has a price for each."""

    HTTP_API = "http_api_request"
    LAMBDA_REQUEST = "lambda_request"
    LAMBDA_TIME = "lambda_gb_second"
    WRITE = "write_request_unit"
    READ = "read_request_unit"
    WRITE_CAPACITY = "write_capacity_hour"
    READ_CAPACITY = "read_capacity_hour"
    STORAGE = "storage_gb_month"
    BACKUP = "backup_gb_month"
    SQS = "sqs_request"
    LOGS = "logs_gb"
    LOGS_KEPT = "logs_gb_month"
    ALARM = "alarm_month"
    METRIC = "metric_month"
    DASHBOARD = "dashboard_month"
    KEY = "key_month"
    ALB = "alb_hour"
    LCU = "alb_lcu_hour"
    VCPU = "fargate_vcpu_hour"
    MEMORY = "fargate_gb_hour"
    SPOT_VCPU = "spot_vcpu_hour"
    SPOT_MEMORY = "spot_gb_hour"
    IPV4 = "ipv4_hour"
    ENDPOINT = "interface_endpoint_hour"
    ENDPOINT_DATA = "interface_endpoint_gb"
    DATA_OUT = "data_out_gb"


class Basis(StrEnum):
    """How a price is known."""

    LIST = "list"
    """From AWS's price list or page, or from who published what it said."""
    BILL = "bill"
    """Worked out from a bill that someone published."""
    OTHER_REGION = "other region"
    """Of another region; taken to be the same."""
    MEMORY = "memory"

    @property
    def is_sourced(self) -> bool:
        """Whether someone has seen this price for this region."""
        return self in {Basis.LIST, Basis.BILL}


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refuses what it does not know."""


class Tier(Strict, frozen=True):
    """What is asked up to a quantity; the last tier has no end."""

    usd: Annotated[float, Meta(gt=0)]
    up_to: Annotated[float, Meta(gt=0)] | None = None


class Price(Strict, frozen=True):
    """USD for `per` units, by tiers of a month's quantity, without any free tier."""

    unit: Annotated[str, Meta(min_length=1)]
    per: Annotated[int, Meta(ge=1)]
    tiers: Annotated[tuple[Tier, ...], Meta(min_length=1)]
    basis: Basis
    source: Annotated[str, Meta(min_length=1)]
    date: date

    def __post_init__(self) -> None:
        """Tiers rise, and only the last is open."""
        bounds = [tier.up_to for tier in self.tiers]
        closed = [bound for bound in bounds[:-1] if bound is not None]
        if bounds[-1] is not None or len(closed) < len(bounds) - 1 or closed != sorted(set(closed)):
            raise ValueError("tiers: each but the last ends higher than the one before, and the last has no end")

    def cost(self, quantity: float) -> float:
        """USD for that much in a month."""
        usd, below = 0.0, 0.0
        for tier in self.tiers:
            top = quantity if tier.up_to is None else min(quantity, tier.up_to)
            usd += max(0.0, top - below) * tier.usd / self.per
            below = top
        return usd

    @property
    def first(self) -> float:
        """USD for one unit, the first."""
        return self.tiers[0].usd / self.per


Prices = dict[Item, Price]


class PriceFile(Strict, frozen=True):
    """The whole file."""

    note: str
    regions: dict[str, Prices]

    def __post_init__(self) -> None:
        """A price for everything, everywhere."""
        for region, prices in self.regions.items():
            if missing := sorted(set(Item) - prices.keys()):
                raise ValueError(f"{region}: no price for {', '.join(missing)}")

    def region(self, name: str) -> Prices:
        """The prices there. Raises Unfit."""
        if name not in self.regions:
            raise Unfit(f"no prices for region {name}; there are: {', '.join(sorted(self.regions))}")
        return self.regions[name]


def read(file: Path = FILE) -> PriceFile:
    """The prices in the file. Raises Unfit, with the file and the place in it."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=PriceFile)
    except (OSError, msgspec.MsgspecError) as error:
        raise Unfit(f"{file}: {error}") from error
