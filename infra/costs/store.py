"""What DynamoDB is asked for, as docs/reference/aws.md says, "What it costs"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from infra.costs.bill import Side, Use
from infra.costs.prices import Item
from infra.costs.workload import HOURS, Capacity

if TYPE_CHECKING:
    from infra.costs.workload import Workload

GB = 2**30
INDEXING = 100
"""Bytes that DynamoDB counts for each item beside its own (DynamoDB guide, "Best practices for storing items")."""
WRITE_BYTES, READ_BYTES = 1_024, 4_096


class Traffic(NamedTuple):
    """Of one request, new and finished: units written and read, and changes that the stream tells of."""

    writes: float
    reads: float
    changes: float


def write_units(size: float) -> int:
    """For one write of an item that is as large as this, before or after."""
    return max(1, math.ceil(size / WRITE_BYTES))


def read_units(size: float) -> int:
    """For one consistent read of it."""
    return max(1, math.ceil(size / READ_BYTES))


def traffic(workload: Workload, together: float) -> Traffic:
    """What one request needs. `together`: parts that end in one transaction."""
    item, read = workload.item_bytes, read_units(workload.item_bytes)
    add, settle = write_units(item), write_units(workload.ended_bytes)
    if not workload.parts:
        return Traffic(add + settle, read, 2)
    parts, part, part_ended = workload.parts, workload.part_bytes, workload.ended_part_bytes
    counts = parts / min(together, parts)
    split = 2 * write_units(item)
    each = write_units(part) + 2 * write_units(part_ended)
    # A split and a merge read the request; a part's run reads request and part; the merge reads every part.
    reads = 2 * read + parts * (read + read_units(part)) + parts * read_units(part_ended)
    return Traffic(
        writes=add + split + settle + parts * each + counts * 2 * write_units(item),
        reads=reads,
        changes=4 + counts + 2 * parts,
    )


def replayed(workload: Workload) -> Traffic:
    """What a request costs that is sent again: a write that is refused, and a look at what is there."""
    return Traffic(write_units(workload.ended_bytes), read_units(workload.ended_bytes), 0)


def purged(workload: Workload) -> Traffic:
    """What it costs to forget one request, beside the read of the table. The relay is not told of it."""
    size, parts = workload.ended_bytes, workload.parts
    if not parts:
        return Traffic(write_units(size), 0, 0)
    looks = read_units(size + parts * workload.ended_part_bytes)
    return Traffic(write_units(size) + parts * write_units(workload.ended_part_bytes), looks, 0)


def kept_bytes(workload: Workload) -> float:
    """Of one request, with its parts."""
    return workload.ended_bytes + INDEXING + workload.parts * (workload.ended_part_bytes + INDEXING)


def monthly(workload: Workload, together: float) -> Traffic:
    """Everything that a month writes, reads and changes."""
    new, again, old = traffic(workload, together), replayed(workload), purged(workload)
    gone = workload.requests if workload.purge else 0.0
    scanned = workload.requests * workload.storage_months * kept_bytes(workload) / READ_BYTES / 2
    return Traffic(
        writes=workload.requests * (new.writes + workload.replay_share * again.writes) + gone * old.writes,
        reads=workload.requests * (new.reads + workload.replay_share * again.reads)
        + gone * old.reads
        + (scanned if workload.purge else 0.0),
        changes=workload.requests * new.changes,
    )


def writes(workload: Workload, side: Side, what: str, units: float) -> Use:
    """So many units of a month, as they are paid for: of what is provisioned, the utilisation is the part in use."""
    if workload.capacity is Capacity.PROVISIONED:
        return Use(side, f"{what}, provisioned", Item.WRITE_CAPACITY, units / 3_600 / workload.utilisation)
    return Use(side, what, Item.WRITE, units)


def uses(workload: Workload, together: float) -> list[Use]:
    """What of DynamoDB is billed. Streams are free where Lambda reads them. One unit is provisioned at least."""
    month = monthly(workload, together)
    written = writes(workload, Side.STORE, "DynamoDB writes", month.writes)
    if workload.capacity is Capacity.PROVISIONED:
        reads = max(HOURS, month.reads / 3_600 / workload.utilisation)
        throughput = [
            written._replace(quantity=max(HOURS, written.quantity)),
            Use(Side.STORE, "DynamoDB reads, provisioned", Item.READ_CAPACITY, reads),
        ]
    else:
        throughput = [written, Use(Side.STORE, "DynamoDB reads", Item.READ, month.reads)]
    kept = workload.requests * workload.storage_months * kept_bytes(workload) / GB
    return [
        *throughput,
        Use(Side.STORE, "DynamoDB storage", Item.STORAGE, kept),
        Use(Side.STORE, "DynamoDB point-in-time recovery", Item.BACKUP, kept),
        Use(Side.STORE, "KMS key", Item.KEY, float(workload.customer_key)),
    ]
