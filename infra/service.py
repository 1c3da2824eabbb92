"""Everything but the records: what takes requests, what works on them, and what watches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Duration, Stack, aws_iam

from infra import grants, nag
from infra.containers import Containers
from infra.deployment import Profile
from infra.function import Function
from infra.intake import Intake
from infra.metrics import InContainers
from infra.observation import Observation
from infra.processing import Processing

if TYPE_CHECKING:
    from constructs import Construct

    from infra.bundle import Code
    from infra.deployment import Deployment
    from infra.storage import StorageStack

OWN_MEMORY = 192
"""MB of the worker's function for itself. A run that takes more than the rest fails by itself, and not its worker."""


class ServiceStack(Stack):
    """The service over the table of the storage stack; it can be deleted and made anew without a loss."""

    def __init__(
        self, scope: Construct, name: str, *, deployment: Deployment, storage: StorageStack, code: Code
    ) -> None:
        super().__init__(scope, name, description=f"acuse: intake and processing, profile {deployment.profile}")
        self.processing = Processing(self, "Processing", deployment=deployment, storage=storage, code=code)
        match deployment.profile:
            case Profile.LAMBDA:
                self._functions(deployment, storage, code)
            case Profile.FARGATE:
                self._containers(deployment, storage, code)
        self._operators(storage)
        CfnOutput(self, "QueueName", value=self.processing.queue.queue_name)

    def _operators(self, storage: StorageStack) -> None:
        policy = aws_iam.ManagedPolicy(
            self, "Operators", description="Looks at the requests of acuse and runs again what failed"
        )
        grants.to_operators(policy, storage, self.processing.queue)
        nag.accept(
            policy, "IAM5[Resource::*]", "cloudwatch:GetMetricStatistics, for the age of messages, is of no resource"
        )
        CfnOutput(self, "OperatorsPolicy", value=policy.managed_policy_arn)

    def _functions(self, deployment: Deployment, storage: StorageStack, code: Code) -> None:
        environment = self.processing.environment
        intake = Intake(
            self,
            "Intake",
            wanted=deployment.intake,
            storage=storage,
            code=code,
            environment=environment,
            log_days=deployment.log_days,
        )
        wanted = deployment.worker
        worker = Function(
            self,
            "Worker",
            module="worker",
            code=code,
            environment={"ACUSE_MAX_MEMORY": str((wanted.memory - OWN_MEMORY) * 1024**2), **environment},
            memory=wanted.memory,
            timeout=Duration.seconds(wanted.seconds),
            log_days=deployment.log_days,
            description="Runs what is due",
            feeds_itself=True,
        )
        grants.to_actions(worker.role, deployment.policies)
        self.processing.work(worker, concurrency=wanted.concurrency, batch=wanted.batch)
        Observation(
            self,
            "Observation",
            deployment=deployment,
            storage=storage,
            processing=self.processing,
            intake=intake,
            worker=worker,
        )
        CfnOutput(self, "Url", value=f"{intake.api.api_endpoint}/v1/requests")
        CfnOutput(self, "ApiId", value=intake.api.api_id)

    def _containers(self, deployment: Deployment, storage: StorageStack, code: Code) -> None:
        containers = Containers(
            self, "Containers", deployment=deployment, storage=storage, processing=self.processing, code=code
        )
        Observation(
            self,
            "Observation",
            deployment=deployment,
            storage=storage,
            processing=self.processing,
            containers=InContainers(
                containers.balancer.balancer,
                containers.targets,
                containers.api_service,
                containers.worker_service,
                (containers.api.log, containers.workers.log),
            ),
        )
        CfnOutput(self, "Url", value=containers.balancer.url)
        CfnOutput(self, "ClusterName", value=containers.cluster.cluster_name)
        CfnOutput(self, "ApiServiceName", value=containers.api_service.service_name)
        CfnOutput(self, "WorkerServiceName", value=containers.worker_service.service_name)
