"""What the linters say of the templates, and that they would say something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import aws_iam, aws_sqs
from infra.app import Acuse, synthesize
from infra.bundle import Architecture, Code
from infra.deployment import Access, Containers, Deployment, Intake, Profile, Table

from infra import nag

if TYPE_CHECKING:
    from constructs import IConstruct


JWT = Intake(access=Access.JWT, issuer="https://issuer.example/", audience=("acuse",))
KEYS = Intake(access=Access.KEYS)
DEPLOYMENTS = {
    "iam": Deployment(alarm_email="ops@example.com"),
    "jwt": Deployment(intake=JWT),
    "keys": Deployment(intake=KEYS),
    "customer_key": Deployment(table=Table(customer_key=True, warm_writes=8_000, max_writes=20_000)),
    "fargate": Deployment(profile=Profile.FARGATE, intake=KEYS),
    "fargate_public": Deployment(
        profile=Profile.FARGATE,
        intake=KEYS,
        table=Table(customer_key=True),
        containers=Containers(
            certificate="arn:aws:acm:eu-west-1:123456789012:certificate/0192f0c1", public=True, internet=True
        ),
    ),
}
REDUNDANT = "W3005"
"""The CDK says what depends on what also where a reference says it."""


@pytest.fixture
def code(tmp_path: Path) -> Code:
    folder = tmp_path / "code"
    folder.mkdir()
    return Code(folder, Architecture.ARM64, python="3.11")  # cdk-nag has nothing to say of the newest.


def findings(folder: Path) -> set[tuple[str, str]]:
    """Rules and the constructs that break them, as the last synthesis reported."""
    report = json.loads((folder / "validation-report.json").read_text())
    return {
        (violation["ruleName"], construct["constructPath"])
        for plugin in report["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_no_rule_is_broken_without_a_reason(deployment: Deployment, code: Code, tmp_path: Path) -> None:
    synthesize(deployment, code, tmp_path / "out")

    templates = [str(path) for path in (tmp_path / "out").glob("*.template.json")]
    assert len(templates) == 2
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--ignore-checks", REDUNDANT, "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout


def test_what_is_open_or_may_do_anything_is_found(code: Code, tmp_path: Path) -> None:
    app = Acuse(Deployment(), code, tmp_path)
    nag.check(app)
    queue = aws_sqs.Queue(app.service, "Open")
    role = aws_iam.Role(app.service, "Root", assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"))
    role.add_to_policy(aws_iam.PolicyStatement(actions=["dynamodb:*"], resources=["*"]))

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()

    found = findings(tmp_path)
    assert ("AwsSolutions-SQS4", f"{queue.node.path}/Resource") in found
    assert ("AwsSolutions-IAM5[Resource::*]", f"{role.node.path}/DefaultPolicy/Resource") in found
    assert ("AwsSolutions-IAM5[Action::dynamodb:*]", f"{role.node.path}/DefaultPolicy/Resource") in found


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_each_reason_belongs_to_a_rule_that_is_broken_there(
    deployment: Deployment, code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted: list[tuple[str, str]] = []

    def remember(construct: IConstruct, rule: str, reason: str) -> None:
        assert len(reason.split()) > 5
        accepted.append((f"AwsSolutions-{rule}", construct.node.path))

    monkeypatch.setattr(nag, "accept", remember)
    app = Acuse(deployment, code, tmp_path)
    nag.check(app)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()

    found = findings(tmp_path)
    for rule, path in accepted:
        assert any(rule == broken and where.startswith(f"{path}/") for broken, where in found), (rule, path)


def test_a_template_that_aws_would_not_take_is_found(tmp_path: Path) -> None:
    template: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Visible": 1}}}}
    (tmp_path / "bad.template.json").write_text(json.dumps(template))

    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--", str(tmp_path / "bad.template.json")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert linted.returncode != 0
    assert "Visible" in linted.stdout
