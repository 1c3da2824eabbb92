"""Deploys to a local AWS in the background, and deletes what was deployed there. No account, no Docker."""

from __future__ import annotations

import argparse
import subprocess
import sys
import uuid
from collections import ChainMap
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy import Failed, deploy
from infra.deploy_assembly import Unsupported, read
from infra.deployment import DEPLOYMENT, Access, Deployment, Unfit
from infra.local_aws import ACCOUNT, REGION, ROOT, NotRunning
from infra.local_service import LocalService

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local_aws import LocalAws

FOLDER = ROOT / "build" / "local-aws"
PORT = 4566
TOLD = """\
Deployed, with {stacks}. Try it:

  curl -i {asked} \\
    {url} \\
    -H 'content-type: application/json' -d '{{"id": "{id}", "action": "delay", "seconds": 2}}'

The page over it, and the other commands:

  export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export ACUSE_STORE=dynamodb://{table} ACUSE_QUEUE=sqs://{queue}
  .venv/bin/acuse ops

What it does is told in {log}. It runs until `make destroy-local`."""


ASKED = {
    Access.IAM: f"--aws-sigv4 aws:amz:{REGION}:execute-api --user test:test",
    Access.JWT: "-H 'authorization: Bearer TOKEN'",
    Access.KEYS: "-H 'authorization: Bearer KEY'",
}
"""What a client shows. A KEY is what `acuse keys new NAME --store dynamodb://TABLE` prints there."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it keeps its files")
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("deploy", help="start a local AWS, unless it runs already, and deploy to it")
    up.add_argument("--code", type=Path, required=True, help="what `python -m infra.bundle` has built for this machine")
    up.add_argument("--deployment", type=Path, default=DEPLOYMENT, help="a TOML file; see infra/deployment.py")
    up.add_argument("--port", type=int, default=PORT, help="of loopback")
    up.set_defaults(run=_deploy)
    commands.add_parser("destroy", help="delete what was deployed, and stop the local AWS").set_defaults(run=_destroy)
    given = parser.parse_args()
    try:
        given.run(given)
    except (Failed, NotRunning, Unfit, Unsupported, BotoCoreError, ClientError) as error:
        sys.exit(str(error))


def _deploy(given: argparse.Namespace) -> None:
    service = LocalService(given.folder)
    aws = service.start(given.port)
    _synthesize(given)
    outputs = deploy(read(_assembly(given.folder), account=ACCOUNT, region=REGION), aws)
    print(_told(outputs, aws, service.log, Deployment.read(given.deployment).intake.access))


def _destroy(given: argparse.Namespace) -> None:
    """It keeps nothing anywhere: what was deployed there goes with it."""
    service = LocalService(given.folder)
    running = service.running()
    service.stop()
    print(f"Deleted, and stopped at {running.url}." if running else "Nothing runs.")


def _synthesize(given: argparse.Namespace) -> None:
    """In a process of its own: the CDK keeps another one, which would end with this one only."""
    command = [sys.executable, "-m", "infra.app", str(_assembly(given.folder)), "--code", str(given.code)]
    command += ["--deployment", str(given.deployment)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603
        raise Failed("nothing was deployed")


def _assembly(folder: Path) -> Path:
    return folder / "cdk.out"


def _told(outputs: Mapping[str, Mapping[str, str]], aws: LocalAws, log: Path, access: Access) -> str:
    every = ChainMap(*map(dict, outputs.values()))
    return TOLD.format(
        stacks=" and ".join(outputs),
        region=REGION,
        asked=ASKED[access],
        url=url(aws, every["ApiId"]),
        table=every["TableName"],
        queue=every["QueueName"],
        id=uuid.uuid4(),
        endpoint=aws.url,
        log=log,
    )


def url(aws: LocalAws, api: str) -> str:
    """Where that HTTP API of the local AWS takes requests."""
    return f"{aws.url}/_aws/execute-api/{api}/v1/requests"


if __name__ == "__main__":
    main()
