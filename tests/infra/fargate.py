"""Two deployments with the profile `fargate`, and where in their templates things are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.deployment import Access, Containers, Deployment, Intake, Profile

if TYPE_CHECKING:
    from tests.infra.stacks import Stacks

KEYS = Intake(access=Access.KEYS)
INSIDE = Deployment(profile=Profile.FARGATE, intake=KEYS, settings={"ACUSE_MAX_WAIT": "100"})
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/one"
LAKE = "arn:aws:iam::123456789012:policy/read-the-lake"
DIGEST = f"sha256:{'7' * 64}"
PUBLIC = Deployment(
    profile=Profile.FARGATE,
    intake=KEYS,
    policies=(LAKE,),
    containers=Containers(
        certificate=CERTIFICATE,
        public=True,
        clients=("192.0.2.0/24",),
        internet=True,
        image=f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/company/acuse@{DIGEST}",
        runners=3,
        backlog=7,
        worker_tasks=2,
    ),
)


def only(made: Stacks, kind: str) -> dict[str, Any]:
    [found] = made.of_type(kind).values()
    return found


def part(made: Stacks, kind: str, name: str) -> dict[str, Any]:
    """The one of that type whose path has the name."""
    [found] = [one for id_, one in made.of_type(kind).items() if name in id_.removeprefix("Containers")]
    return found


def task(made: Stacks, name: str) -> dict[str, Any]:
    return part(made, "AWS::ECS::TaskDefinition", f"{name}Definition")


def container(made: Stacks, name: str) -> dict[str, Any]:
    [found] = task(made, name)["ContainerDefinitions"]
    return dict(found)


def service(made: Stacks, name: str) -> dict[str, Any]:
    return part(made, "AWS::ECS::Service", f"{name}Service")


def attributes(of: dict[str, Any], kind: str) -> dict[str, Any]:
    return {pair["Key"]: pair["Value"] for pair in of[f"{kind}Attributes"]}
