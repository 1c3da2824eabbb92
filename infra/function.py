"""One Lambda function of the service, with a role that may do nothing until it is granted, and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, aws_iam, aws_lambda
from constructs import Construct

from infra import nag
from infra.log import log_kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import Duration

    from infra.bundle import Code

HANDLERS = "acuse.entrypoints.lambdas"


class Function(Construct):
    """The function of one of the modules in `acuse.entrypoints.lambdas`."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        module: str,
        code: Code,
        environment: Mapping[str, str],
        memory: int,
        timeout: Duration,
        log_days: int,
        description: str,
        feeds_itself: bool = False,
    ) -> None:
        super().__init__(scope, name)
        self.memory = memory
        self.log = log_kept(self, log_days)
        self.role = aws_iam.Role(self, "Role", assumed_by=aws_iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log.grant_write(self.role)
        self.function = aws_lambda.Function(
            self,
            "Function",
            description=description,
            code=aws_lambda.Code.from_asset(str(code.folder)),
            handler=f"{HANDLERS}.{module}.handler",
            runtime=aws_lambda.Runtime(f"python{code.python}", aws_lambda.RuntimeFamily.PYTHON),
            architecture=aws_lambda.Architecture.custom(code.architecture.value),
            role=self.role,
            log_group=self.log,
            # Of itself Lambda tells only what goes wrong: what it tells of each call would cost more than the call.
            logging_format=aws_lambda.LoggingFormat.JSON,
            application_log_level_v2=aws_lambda.ApplicationLogLevel.INFO,
            system_log_level_v2=aws_lambda.SystemLogLevel.WARN,
            memory_size=memory,
            timeout=timeout,
            # Lambda takes the 17th message in a row that a function sends itself for a mistake, and drops it into the
            # dead-letter queue (Lambda guide, "Recursive loop detection").
            recursive_loop=aws_lambda.RecursiveLoop.ALLOW if feeds_itself else None,
            environment={"POWERTOOLS_SERVICE_NAME": Stack.of(self).stack_name, **environment},
        )

        nag.accept(self.function, "L1", "it runs on the Python that built and tested it: see infra/bundle.py")

    def feed(self, source_arn: str, **properties: Any) -> None:
        """The source calls the function. What that needs is granted before; properties: of a CfnEventSourceMapping."""
        mapping = aws_lambda.CfnEventSourceMapping(
            self, "Source", function_name=self.function.function_name, event_source_arn=source_arn, **properties
        )
        # Lambda looks at once whether the role may read the source.
        mapping.node.add_dependency(self.role)
