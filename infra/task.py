"""Task: one container of the service on Fargate, with a role that may do nothing until it is granted, and its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Duration, Size, aws_ecs, aws_iam
from constructs import Construct

from infra import nag
from infra.log import log_kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra import deployment as chosen

CONTAINER = "acuse"
STOP = Duration.seconds(120)
"""From SIGTERM to SIGKILL, the longest that Fargate has: as long before the end as Spot says so."""
WRITABLE = "/tmp"  # noqa: S108  (the container is alone in it)
"""The only folder that can be written to. The image gives it to everybody, and a volume takes that over."""
USER = "10001:10001"
LOG_BUFFER = Size.mebibytes(8)


class Task(Construct):
    """The definition of a task for `acuse` with these arguments, on Graviton.

    It writes nowhere but to a folder that goes with it. If its log cannot be written, lines are lost, and no run waits.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        image: aws_ecs.ContainerImage,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        cpu: int,
        memory: int,
        log_days: chosen.LogDays,
        port: int | None = None,
        health_check: aws_ecs.HealthCheck | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.log = log_kept(self, log_days)
        tasks = aws_iam.ServicePrincipal(
            "ecs-tasks.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        )
        self.role = aws_iam.Role(self, "Role", assumed_by=tasks)
        execution = aws_iam.Role(self, "Execution", assumed_by=aws_iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        nag.accept(
            execution, "IAM5[Resource::*]", "ecr:GetAuthorizationToken, by which images are pulled, is of no resource"
        )
        self.definition = aws_ecs.FargateTaskDefinition(
            self,
            "Definition",
            cpu=cpu,
            memory_limit_mib=memory,
            runtime_platform=aws_ecs.RuntimePlatform(
                cpu_architecture=aws_ecs.CpuArchitecture.ARM64,
                operating_system_family=aws_ecs.OperatingSystemFamily.LINUX,
            ),
            task_role=self.role,
            execution_role=execution,
            volumes=[aws_ecs.Volume(name="writable")],
        )
        nag.accept(
            self.definition, "ECS2", "the settings of the service are in its environment, and no secret is among them"
        )
        # An init: what runs leave behind has somebody to wait for it, and signals reach the service.
        process = aws_ecs.LinuxParameters(self, "Process", init_process_enabled=True)
        process.drop_capabilities(aws_ecs.Capability.ALL)
        container = self.definition.add_container(
            CONTAINER,
            image=image,
            command=list(arguments),
            environment=dict(environment),
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=process,
            stop_timeout=STOP,
            health_check=health_check,
            port_mappings=[aws_ecs.PortMapping(container_port=port)] if port else None,
            logging=aws_ecs.LogDriver.aws_logs(
                stream_prefix=CONTAINER,
                log_group=self.log,
                mode=aws_ecs.AwsLogDriverMode.NON_BLOCKING,
                max_buffer_size=LOG_BUFFER,
            ),
        )
        container.add_mount_points(
            aws_ecs.MountPoint(container_path=WRITABLE, source_volume="writable", read_only=False)
        )
