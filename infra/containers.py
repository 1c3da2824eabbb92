"""The profile `fargate`: the intake behind a load balancer, and workers, as services of ECS. A run may take 12 hours.

A worker that is to stop gives its runs `drain` seconds. What has not ended then is given back, and begins anew
elsewhere; it costs the request no attempt. That happens in a deployment, when Spot takes a task back, and when tasks
are taken away because too few runners are busy. So a run of hours is best split into parts, or kept on tasks that stay:
with `max_worker_tasks` equal to `worker_tasks`, none is Spot, and none is taken away. ECS would spare tasks that tell
it that they are busy (task scale-in protection). Workers do not: Spot spares none, so a run must bear it anyway.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Aws, Duration, aws_ecs
from constructs import Construct

from acuse.config import Settings
from infra import grants, image, scaling
from infra.balancer import LATER, SLACK, Balancer
from infra.deployment import Unfit
from infra.network import Network
from infra.task import STOP, Task

if TYPE_CHECKING:
    from aws_cdk import aws_ec2

    from infra.bundle import Code
    from infra.deployment import Deployment
    from infra.processing import Processing
    from infra.storage import StorageStack

PORT = 8080
OPS_PORT = 8081
ON_DEMAND, SPOT = 1, 3
"""Of the tasks of workers above the least: nothing replaces Spot where there is none left, so some are not of it."""
ASK = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{OPS_PORT}/health/ready', timeout=8)"
READY = aws_ecs.HealthCheck(
    command=["CMD", "python", "-I", "-c", ASK],
    interval=Duration.seconds(30),
    timeout=Duration.seconds(10),
    # While the table cannot be reached, every task says so for as long: a new one would know no better.
    retries=5,
    start_period=Duration.seconds(60),
)
"""Whether the intake stores what it takes. A task that does not, for two and a half minutes, is replaced."""
MAX_WAIT = timedelta(seconds=3_600)
"""For an answer. A load balancer waits for 4,000 seconds at most, and gives tasks 3,600 to finish (ELB guide)."""
FIXED = frozenset(
    {
        "ACUSE_DATA",
        "ACUSE_DRAIN",
        "ACUSE_KEEP_ALIVE",
        "ACUSE_OPS_HOST",
        "ACUSE_OPS_PORT",
        "ACUSE_PORT",
        "ACUSE_RUNNERS",
        "ACUSE_WORKERS",
    }
)
"""Settings that follow from the deployment's own."""


class Containers(Construct):
    """The load balancer, the services `api` and `workers`, and the network that they are in."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        deployment: Deployment,
        storage: StorageStack,
        processing: Processing,
        code: Code,
    ) -> None:
        super().__init__(scope, name)
        wanted = self._wanted = deployment.containers
        self._deployment = deployment
        settings = _settings(deployment)
        self._image = image.existing(self, wanted.image) if wanted.image else image.built(self, code)
        longest_wait = math.ceil(settings.max_wait.total_seconds())
        self._environment = {
            **processing.environment,
            "ACUSE_DRAIN": str(wanted.drain),
            # botocore asks for this one, Fargate itself names the other.
            "AWS_DEFAULT_REGION": Aws.REGION,
            "ACUSE_KEEP_ALIVE": str(longest_wait + SLACK + LATER),
        }
        self._network = Network(
            self,
            "Network",
            wanted=wanted,
            storage=storage,
            queue=processing.queue,
            log_days=deployment.log_days,
        )
        self._network.let_pull(self._image.repository_arn)
        self.cluster = aws_ecs.Cluster(
            self,
            "Cluster",
            vpc=self._network.vpc,
            # Without them nobody counts the tasks that run, by which workers are scaled.
            container_insights_v2=aws_ecs.ContainerInsights.ENABLED,
        )
        # Of the cluster itself, so that they are there before a service, and for as long.
        cast("aws_ecs.CfnCluster", self.cluster.node.default_child).capacity_providers = ["FARGATE", "FARGATE_SPOT"]
        self.api, self.workers = self._api(), self._workers()
        grants.on_table(self.api.role, storage, grants.API)
        grants.on_table(self.workers.role, storage, grants.WORK)
        grants.on_queue(self.workers.role, processing.queue, grants.SEND)
        grants.on_queue(self.workers.role, processing.queue, grants.RECEIVE)
        grants.to_actions(self.workers.role, deployment.policies)
        self._network.let_log([self.api.log.log_group_arn, self.workers.log.log_group_arn])
        if deployment.policies:
            self._network.let_actions(self.workers.role)
        self.api_service = self._service(
            "ApiService",
            self.api,
            self._group("ApiTasks", "Tasks of the intake"),
            health_check_grace_period=Duration.seconds(60),
        )
        self.balancer = Balancer(
            self,
            "Balancer",
            wanted=wanted,
            network=self._network,
            longest_wait=longest_wait,
            log_days=deployment.log_days,
        )
        self.targets = self.balancer.forward(self.api_service, PORT)
        scaling.by_work(self.api_service, wanted)
        self.worker_service = self._service(
            "WorkerService",
            self.workers,
            self._group("WorkerTasks", "Tasks of workers"),
            # Which tasks lie in which zone is no reason to stop a run.
            availability_zone_rebalancing=aws_ecs.AvailabilityZoneRebalancing.DISABLED,
            capacity_provider_strategies=[
                aws_ecs.CapacityProviderStrategy(
                    capacity_provider="FARGATE", base=wanted.worker_tasks, weight=ON_DEMAND
                ),
                aws_ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=SPOT),
            ],
        )
        scaling.by_backlog(self.worker_service, self.cluster, processing.queue, wanted)

    def _api(self) -> Task:
        return Task(
            self,
            "Api",
            image=self._image.container,
            arguments=["serve", "--workers", "0"],
            environment={**self._environment, "ACUSE_HOST": "0.0.0.0"},  # noqa: S104  (its subnet has no way in but the load balancer)
            cpu=self._wanted.api_cpu,
            memory=self._wanted.api_memory,
            log_days=self._deployment.log_days,
            port=PORT,
            health_check=READY,
        )

    def _workers(self) -> Task:
        wanted = self._wanted
        return Task(
            self,
            "Worker",
            image=self._image.container,
            arguments=["work", "--runners", str(wanted.runners)],
            environment={"ACUSE_MAX_MEMORY": str(wanted.run_memory * 1024**2), **self._environment},
            cpu=wanted.worker_cpu,
            memory=wanted.worker_memory,
            log_days=self._deployment.log_days,
        )

    def _group(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        group = self._network.group(name, description)
        self._network.connect(group)
        return group

    def _service(
        self, name: str, task: Task, group: aws_ec2.SecurityGroup, **properties: Any
    ) -> aws_ecs.FargateService:
        """Its tasks are replaced without being fewer meanwhile; where the new ones do not start, the old ones stay."""
        service = aws_ecs.FargateService(
            self,
            name,
            cluster=self.cluster,
            task_definition=task.definition,
            assign_public_ip=False,
            vpc_subnets=self._network.tasks,
            security_groups=[group],
            min_healthy_percent=100,
            max_healthy_percent=200,
            circuit_breaker=aws_ecs.DeploymentCircuitBreaker(rollback=True),
            **properties,
        )
        # A task that starts pulls and logs through the endpoints.
        cast("aws_ecs.CfnService", service.node.default_child).node.add_dependency(self._network)
        return service


def _settings(deployment: Deployment) -> Settings:
    """What the service in the containers will go by. Raises Unfit for what cannot be."""
    if taken := sorted(FIXED & deployment.settings.keys()):
        raise Unfit(f"settings: with profile `fargate` the stack itself says {', '.join(taken)}")
    settings = Settings.from_environment(deployment.settings)
    drain, patience = deployment.containers.drain, settings.patience.total_seconds()
    if settings.max_wait > MAX_WAIT:
        raise Unfit(f"settings: ACUSE_MAX_WAIT is at most {MAX_WAIT.total_seconds():g} seconds behind a load balancer")
    if drain + patience >= STOP.to_seconds():
        raise Unfit(
            f"containers: after {drain} s of draining, runs are given back for up to {patience:g} s; a task has 120"
        )
    return settings
