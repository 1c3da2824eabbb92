"""The service, deployed from its templates to a local AWS: what a client and an operator do with it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from infra.deploy import deploy, destroy
from infra.deploy_assembly import Asset, Template, read
from infra.local import url
from infra.local_aws import ACCOUNT, CREDENTIALS, REGION, ROOT

from acuse import Client
from acuse.adapters.aws.backend import AwsBackend
from acuse.adapters.aws.signer import SigV4
from acuse.adapters.clock import SystemClock
from tests.acceptance.service import ACTIONS, until
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.aws.local import LocalAws

CODE = ROOT / "build" / "bundle"
NAME = "tested"
STORAGE, SERVICE = f"{NAME}-storage", f"{NAME}-service"
WORKER_SECONDS = 30
HIDDEN_SECONDS = 6 * WORKER_SECONDS
"""So long the queue hides a message whose worker says nothing."""
RECEIVES = 5
NOT_MADE = {"recovery"}
"""What the templates ask for, `acuse check` looks at, and the local AWS leaves out."""
DEPLOYMENT = f"""\
name = "{NAME}"
actions = ["{ACTIONS}"]
log_days = {{log_days}}

[worker]
seconds = {WORKER_SECONDS}
receives = {RECEIVES}

[settings]
ACUSE_PATIENCE = "1"
"""


def synthesize(folder: Path, log_days: int = 30) -> Path:
    """The assembly of the stacks, within that folder; logs are kept so long."""
    assert CODE.is_dir(), "run `make bundle` first"
    deployment = folder / "deployment.toml"
    deployment.write_text(DEPLOYMENT.format(log_days=log_days))
    made = folder / "cdk.out"
    asked = [str(made), "--code", str(CODE), "--deployment", str(deployment)]
    subprocess.run([sys.executable, "-m", "infra.app", *asked], check=True, cwd=ROOT)
    return made


def templates_in(assembly: Path) -> list[Template]:
    return read(assembly, account=ACCOUNT, region=REGION)


def edited(
    templates: list[Template], stack: str, folder: Path, edit: Callable[[dict[str, Any]], object]
) -> list[Template]:
    """The same, but for one stack, whose template was edited."""
    return [_edited(template, folder, edit) if template.stack == stack else template for template in templates]


def _edited(template: Template, folder: Path, edit: Callable[[dict[str, Any]], object]) -> Template:
    (old,) = (asset for asset in template.assets if asset.key == template.key)
    content = json.loads(old.source.read_text())
    edit(content)
    text = json.dumps(content)
    key = f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    (folder / key).write_text(text)
    others = [asset for asset in template.assets if asset != old]
    return template._replace(key=key, assets=(*others, Asset(folder / key, old.bucket, key)))


class Stage:
    """The stacks on that local AWS, and clients with an identity that is let in."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.identity: Mapping[str, str] = CREDENTIALS

    def deploy(self, templates: list[Template]) -> None:
        deploy(templates, self.aws)

    def destroy(self, templates: list[Template]) -> None:
        destroy(templates, self.aws)

    def output(self, stack: str, name: str) -> str:
        with closing(self.aws.client("cloudformation")) as cloudformation:
            (described,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        return str(next(one["OutputValue"] for one in described["Outputs"] if one["OutputKey"] == name))

    def client(
        self, *, identity: Mapping[str, str] | None = None, patience: timedelta = timedelta(seconds=30)
    ) -> Client:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in (identity or self.identity).items():
                environment.setenv(name, value)
            signer = SigV4()
        return Client(url(self.aws, self.output(SERVICE, "ApiId")), signer=signer, patience=patience)

    @contextmanager
    def backend(self, identity: Mapping[str, str] | None = None) -> Iterator[AwsBackend]:
        """The table and the queue, as an operator with that identity sees them."""
        with pytest.MonkeyPatch.context() as environment:
            for name, value in {**(identity or self.identity), "AWS_ENDPOINT_URL": self.aws.url}.items():
                environment.setenv(name, value)
            yield AwsBackend(
                SystemClock(),
                table=self.output(STORAGE, "TableName"),
                queue=f"sqs://{self.output(SERVICE, 'QueueName')}",
                lease=timedelta(seconds=30),
                patience=timedelta(seconds=1),
                in_flight=2,
                bounds=dict,
                postpone=timedelta(0),
            )

    def accept(self, action: str, **members: Any) -> dict[str, Any]:
        """The request, when it is stored."""
        request = {"id": new_id(), "action": action, **members}
        with self.client() as client:
            assert client.submit(request).is_new
        return request

    def record(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Read by sending the request again."""
        with self.client() as client:
            return client.submit(dict(request)).record

    def ended(self, request: Mapping[str, Any], passing: float = 0.0) -> dict[str, Any]:
        """The record when the request has ended, each look at which takes so many seconds of the queues' time."""

        def record() -> dict[str, Any] | None:
            self.aws.pass_time(passing)
            found = self.record(request)
            return found if found["finished_at"] else None

        found: dict[str, Any] = until(record, f"the end of {request}")
        return found

    def submit(self, action: str, **members: Any) -> dict[str, Any]:
        """The record at its end."""
        return self.ended(self.accept(action, **members))

    def waiting(self, queue: str) -> int:
        """The messages in the queue whose logical id begins so, hidden or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        with closing(self.aws.client("sqs")) as sqs:
            told = sqs.get_queue_attributes(QueueUrl=self.resource(queue), AttributeNames=names)
        return sum(int(count) for count in told["Attributes"].values())

    def resource(self, beginning: str) -> str:
        """The name that AWS gave to what has the logical id that begins so."""
        with closing(self.aws.client("cloudformation")) as cloudformation:
            listed = cloudformation.describe_stack_resources(StackName=SERVICE)["StackResources"]
        (found,) = (one for one in listed if one["LogicalResourceId"][:-8] == beginning)  # Then comes a hash.
        return str(found["PhysicalResourceId"])
