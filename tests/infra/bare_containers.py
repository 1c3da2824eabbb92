"""A load balancer and two services of containers that do nothing, observed as those of the profile `fargate`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import App, Stack, assertions, aws_ec2, aws_ecs
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct
from infra.bundle import Architecture, Code
from infra.deployment import Deployment
from infra.log import log_kept
from infra.metrics import InContainers
from infra.observation import Observation
from infra.processing import Processing
from infra.storage import StorageStack

from tests.infra.stacks import Stacks


class Service(Construct):
    """Tasks that do nothing."""

    def __init__(self, scope: Construct, name: str, cluster: aws_ecs.Cluster) -> None:
        super().__init__(scope, name)
        self.log = log_kept(self, 1)
        definition = aws_ecs.FargateTaskDefinition(self, "Definition", cpu=512, memory_limit_mib=1024)
        definition.add_container(
            "nothing",
            image=aws_ecs.ContainerImage.from_registry("nothing"),
            port_mappings=[aws_ecs.PortMapping(container_port=80)],
        )
        self.service = aws_ecs.FargateService(
            self, "Service", cluster=cluster, task_definition=definition, min_healthy_percent=100
        )


@cache
def observed() -> Stacks:
    """Their templates."""
    with TemporaryDirectory() as code:
        app = App()
        deployment = Deployment()
        storage = StorageStack(app, "acuse-storage", deployment)
        stack = Stack(app, "acuse-service")
        processing = Processing(
            stack, "Processing", deployment=deployment, storage=storage, code=Code(Path(code), Architecture.ARM64)
        )
        cluster = aws_ecs.Cluster(stack, "Cluster", vpc=aws_ec2.Vpc(stack, "Vpc", nat_gateways=0))
        api, worker = Service(stack, "Api", cluster), Service(stack, "Worker", cluster)
        balancer = elb.ApplicationLoadBalancer(stack, "Balancer", vpc=cluster.vpc)
        targets = balancer.add_listener("Listener", port=80).add_targets("Api", port=80, targets=[api.service])
        Observation(
            stack,
            "Observation",
            deployment=deployment,
            storage=storage,
            processing=processing,
            containers=InContainers(balancer, targets, api.service, worker.service, (api.log, worker.log)),
        )
        return Stacks(*(dict(assertions.Template.from_stack(one).to_json()) for one in (stack, storage)))
