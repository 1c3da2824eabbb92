"""The CDK app: two stacks from one deployment, made without an account, a network, or Docker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

from aws_cdk import App, Tags

from infra import nag
from infra.bundle import Architecture, Code, with_actions
from infra.deployment import DEPLOYMENT, Deployment, Unfit
from infra.service import ServiceStack
from infra.storage import StorageStack

if TYPE_CHECKING:
    from aws_cdk import cx_api

FLAGS = {
    "aws:cdk:disable-creation-stack-traces": True,
    "aws:cdk:disable-stack-trace": True,
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:checkSecretUsage": True,
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
    "@aws-cdk/core:target-partitions": ["aws"],
}
"""Of the CDK: templates are small, no secret is in them, the table cannot be deleted from under the service, and all is
for the one partition whose prices are known. What lies beside them does not name the temporary folders of the CDK."""


class Acuse(App):
    """The stacks `NAME-storage` and `NAME-service`."""

    def __init__(self, deployment: Deployment, code: Code, folder: Path | None = None) -> None:
        """`folder`: where the templates and what they need come to be; none: where the CDK's own command wants them."""
        super().__init__(context=FLAGS, analytics_reporting=False, outdir=str(folder) if folder else None)
        self.storage = StorageStack(self, f"{deployment.name}-storage", deployment)
        self.service = ServiceStack(
            self, f"{deployment.name}-service", deployment=deployment, storage=self.storage, code=code
        )
        Tags.of(self).add("service", deployment.name)


def synthesize(deployment: Deployment, code: Code, folder: Path | None = None) -> cx_api.CloudAssembly:
    """The templates in the folder, the same for the same deployment and code."""
    app = Acuse(deployment, code, folder)
    nag.check(app)
    return app.synth()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the templates come to be")
    parser.add_argument("--deployment", type=Path, default=DEPLOYMENT, help="a TOML file; see infra/deployment.py")
    parser.add_argument("--code", type=Path, required=True, help="what `python -m infra.bundle` has built")
    parser.add_argument("--architecture", type=Architecture, default=Architecture.here(), help="what it was built for")
    given = parser.parse_args()
    try:
        deployment = Deployment.read(given.deployment)
        code = _with_actions(deployment, given.deployment.parent, Code(given.code, given.architecture), given.folder)
        synthesize(deployment, code, given.folder)
    except (Unfit, OSError) as error:
        parser.error(str(error))
    except (CalledProcessError, RuntimeError) as error:
        # pip has said why; so has the CDK, of what cdk-nag found.
        sys.exit(f"nothing can be deployed: {type(error).__name__}")


def _with_actions(deployment: Deployment, beside: Path, code: Code, folder: Path) -> Code:
    files = [beside / action for action in deployment.actions if action.endswith(".py")]
    if not files and not deployment.requirements:
        return code
    requirements = beside / deployment.requirements if deployment.requirements else None
    return with_actions(code, folder.with_name(f"{folder.name}-code"), files, requirements)


if __name__ == "__main__":
    main()
