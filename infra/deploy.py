"""Deploys what the CDK has synthesized to a local AWS, as its own command does to AWS, which `make deploy` uses."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.local_aws import REGION, waited

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.deploy_assembly import Asset, Template
    from infra.local_aws import LocalAws

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
BOOTSTRAP_VERSION = "30"
"""Of what `cdk bootstrap` makes: templates refuse what is too old for them."""
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
DEPLOYED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
DELETED = frozenset({"DELETE_COMPLETE"})
STILLBORN = "ROLLBACK_COMPLETE"
"""Its creation failed: it cannot be updated, only deleted."""
SECONDS = 120.0
UNCHANGED = "No updates are to be performed"
API_NAME_TAG = "ms-custom-id"
"""The local AWS calls an HTTP API by what the stack's tag of that name says, so that its address is known before."""


class Failed(Exception):
    """CloudFormation could not do it; says why."""


def deploy(templates: Sequence[Template], aws: LocalAws) -> dict[str, dict[str, str]]:
    """The stacks are as the templates say, each after those that it needs; what is so already stays. Their outputs."""
    with closing(aws.client("cloudformation")) as cloudformation, closing(aws.client("s3")) as s3:
        _bootstrap(aws)
        outputs = {}
        for template in templates:
            for asset in template.assets:
                _store(s3, asset)
            outputs[template.stack] = _deploy(cloudformation, template, f"{aws.url}/{template.bucket}/{template.key}")
        return outputs


def destroy(templates: Sequence[Template], aws: LocalAws) -> None:
    """The stacks are not there, whether protected or not: what a local AWS holds is lost with it anyway."""
    with closing(aws.client("cloudformation")) as cloudformation:
        for template in reversed(templates):
            if there := _described(cloudformation, template.stack):
                cloudformation.update_termination_protection(
                    StackName=template.stack, EnableTerminationProtection=False
                )
                _delete(cloudformation, there)


def _bootstrap(aws: LocalAws) -> None:
    with closing(aws.client("ssm")) as ssm:
        ssm.put_parameter(Name=BOOTSTRAP_PARAMETER, Value=BOOTSTRAP_VERSION, Type="String", Overwrite=True)


def _store(s3: Any, asset: Asset) -> None:
    """It is there. Its name is of its content, so that one that is there already is the same."""
    try:
        s3.head_object(Bucket=asset.bucket, Key=asset.key)
    except ClientError:
        pass
    else:
        return
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=asset.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    with asset.opened() as body:
        s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=body)


def _deploy(cloudformation: Any, template: Template, url: str) -> dict[str, str]:
    stack = template.stack
    tags = {API_NAME_TAG: stack, **template.tags}
    asked = {
        "StackName": stack,
        "TemplateURL": url,
        "Capabilities": CAPABILITIES,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    there = _described(cloudformation, stack)
    if there and there["StackStatus"] == STILLBORN:
        _delete(cloudformation, there)
        there = None
    if there is None:
        began = cloudformation.create_stack(**asked, EnableTerminationProtection=template.is_protected)["StackId"]
    else:
        try:
            began = cloudformation.update_stack(**asked)["StackId"]
        except ClientError as error:
            if UNCHANGED not in str(error):
                raise Failed(f"{stack}: {error}") from error
            return _outputs(there)
    return _outputs(_settled(cloudformation, began, DEPLOYED))


def _delete(cloudformation: Any, stack: Mapping[str, Any]) -> None:
    cloudformation.delete_stack(StackName=stack["StackId"])
    _settled(cloudformation, stack["StackId"], DELETED)


def _settled(cloudformation: Any, stack: str, wanted: frozenset[str]) -> Mapping[str, Any]:
    """The stack when nothing happens to it any more. Raises Failed if it is not as wanted."""

    def status() -> str:
        return str((_described(cloudformation, stack) or {"StackStatus": "DELETE_COMPLETE"})["StackStatus"])

    if not waited(lambda: not status().endswith("_IN_PROGRESS"), SECONDS):
        raise Failed(f"{stack}: still {status()} after {SECONDS:g} s")
    if (came := status()) not in wanted:
        raise Failed(f"{stack}: {came}\n" + "\n".join(_reasons(cloudformation, stack)))
    return _described(cloudformation, stack) or {}


def _reasons(cloudformation: Any, stack: str) -> list[str]:
    """What failed, the first first."""
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    return [
        f"  {one['ResourceType']} {one['LogicalResourceId']}: {one.get('ResourceStatusReason', one['ResourceStatus'])}"
        for one in reversed(events)
        if one["ResourceStatus"].endswith("_FAILED")
    ]


def _described(cloudformation: Any, stack: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError:
        return None
    return found


def _outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
