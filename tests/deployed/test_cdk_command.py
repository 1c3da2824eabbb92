"""The CDK's own command, with which `make deploy` deploys, does the same with what was synthesized."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from infra.local_aws import ACCOUNT, REGION, ROOT

from tests.aws.local import LocalAws
from tests.deployed.stage import SERVICE, STORAGE, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = ROOT / "build" / "cdk" / "node_modules" / ".bin" / "cdk"


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    made = LocalAws(still=False)
    yield made
    made.stop()


def test_it_bootstraps_deploys_deploys_again_and_destroys(aws: LocalAws, assembly: Path, tmp_path: Path) -> None:
    assert COMMAND.exists(), "run `make build/cdk/node_modules` first"

    def cdk(*arguments: str) -> subprocess.CompletedProcess[str]:
        own = {"HOME": str(tmp_path), "CI": "true", "CDK_DISABLE_CLI_TELEMETRY": "true"}
        path = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ["PATH"]])
        return subprocess.run(
            [str(COMMAND), "--no-notices", "--no-color", *arguments],
            check=False,
            cwd=tmp_path,
            env={**os.environ, **aws.environment, **own, "PATH": path},
            capture_output=True,
            text=True,
        )

    def deployed() -> str:
        done = cdk("--app", str(assembly), "deploy", "--all", "--require-approval", "never")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    bootstrapped = cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    assert bootstrapped.returncode == 0, bootstrapped.stdout + bootstrapped.stderr

    deployed()

    stage = Stage(aws)
    assert stage.submit("echo", text="é")["result"]["text"] == "é"
    assert deployed().count("(no changes)") == 2

    destroyed = cdk("--app", str(assembly), "destroy", "--force", "--exclusively", "*-service")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    kept = cdk("--app", str(assembly), "destroy", "--force", "--exclusively", "*-storage")
    assert "TerminationProtection is enabled" in kept.stdout + kept.stderr
    assert kept.returncode == 1
    with closing(aws.client("cloudformation")) as cloudformation:
        names = {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
    assert names >= {STORAGE}
    assert SERVICE not in names
