"""What DynamoDB costs our side: CPU time for each accepted request, in batches and with one PutItem a request.

Both write the same items to the same table of a local AWS, in turn; only this process's CPU time is counted, not that
of the local AWS. Then the import time of each function, each in a fresh process from the bundle, and what the first
client takes there. `python -m bench.aws --help` lists the options.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from tests.aws.local import local_aws
from tests.contract.aws import create_table

from acuse.adapters.aws.calls import client
from acuse.adapters.aws.items import item_of
from acuse.adapters.aws.store import DynamoStore
from acuse.adapters.aws.table import Table
from acuse.adapters.clock import SystemClock
from acuse.domain.outcome import Added
from acuse.domain.submission import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from acuse.domain.record import Record

BUNDLE = Path(__file__).parent.parent / "build" / "bundle"
FUNCTIONS = ("api", "relay", "worker", "dead_letters")
IN_FLIGHT = 8
HANDLERS = "acuse.entrypoints.lambdas"
IMPORT = "__import__(sys.argv[1])"
CLIENT = "from acuse.adapters.aws.calls import client; client(sys.argv[1], in_flight=1)"


def main() -> None:
    """Print each round, the medians and their ratio, and the import times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2_000, help="a round")
    parser.add_argument("--batch", type=int, default=512, help="requests a commit")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    aws = local_aws()
    os.environ.update(aws.environment)
    table = f"bench-{uuid.uuid4()}"
    dynamodb = boto3.client("dynamodb")
    create_table(dynamodb, table)
    store = DynamoStore(
        Table(client("dynamodb", in_flight=IN_FLIGHT), table, patience=timedelta(minutes=1), in_flight=IN_FLIGHT),
        SystemClock(),
    )
    kinds: dict[str, Callable[[Sequence[Record]], None]] = {
        "PutItem": lambda records: _put(dynamodb, table, records),
        "batches": lambda records: _add(store, records, options.batch),
    }
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(1, options.rounds + 1):
        for kind, write in kinds.items():
            records = [_record() for _ in range(options.requests)]
            before = time.process_time()
            write(records)
            found[kind].append((time.process_time() - before) / len(records) * 1e6)
            print(f"round {number}  {kind}  {found[kind][-1]:>7,.0f} µs of CPU a request", flush=True)
    ratios = [batches / put for put, batches in zip(found["PutItem"], found["batches"], strict=True)]
    for kind, times in found.items():
        print(f"median   {kind}  {statistics.median(times):>7,.0f} µs of CPU a request")
    print(f"ratio    batches/PutItem: median {statistics.median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}")
    for function in FUNCTIONS:
        taken = statistics.median(_seconds(IMPORT, f"{HANDLERS}.{function}") for _ in range(options.rounds))
        print(f"import   {function:<12} {taken * 1000:>5.0f} ms")
    for service in ("dynamodb", "sqs"):
        taken = statistics.median(_seconds(CLIENT, service) for _ in range(options.rounds))
        print(f"client   {service:<12} {taken * 1000:>5.0f} ms, with the import of botocore")


def _record() -> Record:
    return parse(b'{"id":"%b","action":"delay","seconds":2}' % str(uuid.uuid4()).encode()).accepted(datetime.now(UTC))


def _put(dynamodb: Any, table: str, records: Sequence[Record]) -> None:
    for record in records:
        try:
            dynamodb.put_item(
                TableName=table, Item=item_of(record, b"bench"), ConditionExpression="attribute_not_exists(id)"
            )
        except ClientError as error:
            sys.exit(f"bench: {error}")


def _add(store: DynamoStore, records: Sequence[Record], batch: int) -> None:
    for start in range(0, len(records), batch):
        additions = store.add(records[start : start + batch])
        if not all(isinstance(one, Added) for one in additions):
            sys.exit("bench: not everything was added")


def _seconds(code: str, argument: str) -> float:
    """How long the code takes in a fresh process that finds the bundle and nothing else."""
    timed = f"import sys, time; before = time.perf_counter(); {code}; print(time.perf_counter() - before)"
    command = [sys.executable, "-S", "-P", "-c", timed, argument]
    environment = {"PYTHONPATH": str(BUNDLE), "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    return float(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)


if __name__ == "__main__":
    main()
