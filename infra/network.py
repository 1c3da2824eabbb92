"""Network: what the containers are in. They reach the services of AWS that they use, and nothing else unless wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, aws_ec2, aws_iam
from constructs import Construct

from infra import grants
from infra.log import log_kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_sqs

    from infra import deployment as chosen
    from infra.storage import StorageStack

ZONES = 2
HTTPS = aws_ec2.Port.tcp(443)
TASKS = "tasks"
LAYERS = f"arn:aws:s3:::prod-{Aws.REGION}-starport-layer-bucket/*"
"""Where ECR keeps what images consist of (ECR guide, "Amazon ECR interface VPC endpoints")."""


class Network(Construct):
    """A VPC of two zones whose tasks have no public address, with an endpoint for each service that they use.

    An endpoint lets through what the service and its containers are for; beyond that only the role of the actions, if
    it may do more.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        wanted: chosen.Containers,
        storage: StorageStack,
        queue: aws_sqs.Queue,
        log_days: chosen.LogDays,
    ) -> None:
        super().__init__(scope, name)
        outside = wanted.public or wanted.internet
        self.vpc = aws_ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=aws_ec2.IpAddresses.cidr(wanted.network),
            max_azs=ZONES,
            # One gateway: without its zone, actions of the other lack the internet, and the service lacks nothing.
            nat_gateways=1 if wanted.internet else 0,
            subnet_configuration=[
                aws_ec2.SubnetConfiguration(
                    name=TASKS,
                    subnet_type=aws_ec2.SubnetType.PRIVATE_WITH_EGRESS
                    if wanted.internet
                    else aws_ec2.SubnetType.PRIVATE_ISOLATED,
                ),
                *(
                    [
                        aws_ec2.SubnetConfiguration(
                            name="public",
                            subnet_type=aws_ec2.SubnetType.PUBLIC,
                            cidr_mask=24,
                            map_public_ip_on_launch=False,
                        )
                    ]
                    if outside
                    else []
                ),
            ],
        )
        self._log_flows(log_days)
        self._group = self.group("Endpoints", "The endpoints of the services of AWS")
        dynamodb = self.vpc.add_gateway_endpoint("DynamoDb", service=aws_ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        s3 = self.vpc.add_gateway_endpoint("S3", service=aws_ec2.GatewayVpcEndpointAwsService.S3)
        service = aws_ec2.InterfaceVpcEndpointAwsService
        sqs = self._endpoint("Sqs", service.SQS)
        self._ecr = [self._endpoint("Ecr", service.ECR), self._endpoint("EcrDocker", service.ECR_DOCKER)]
        self._logs = self._endpoint("Logs", service.CLOUDWATCH_LOGS)
        self._of_services = (dynamodb, s3, sqs)
        _let_through(dynamodb, "dynamodb", {*grants.API, *grants.WORK}, [storage.table.table_arn])
        _let_through(s3, "s3", {"GetObject"}, [LAYERS])
        _let_through(sqs, "sqs", {*grants.SEND, *grants.RECEIVE}, [queue.queue_arn])

    @property
    def tasks(self) -> aws_ec2.SubnetSelection:
        """The subnets of the tasks."""
        return aws_ec2.SubnetSelection(subnet_group_name=TASKS)

    def group(self, name: str, description: str) -> aws_ec2.SecurityGroup:
        """A security group that lets nothing in or out."""
        group = aws_ec2.SecurityGroup(self, name, vpc=self.vpc, description=description, allow_all_outbound=False)
        # Where the group itself has no rule, EC2 adds one that lets everything out, whatever rules are added later.
        group.add_egress_rule(aws_ec2.Peer.ipv4("127.0.0.1/32"), aws_ec2.Port.all_traffic(), "Nowhere")
        return group

    def connect(self, group: aws_ec2.SecurityGroup) -> None:
        """What is in the group reaches the services of AWS.

        What DynamoDB and S3 are reached at has no security group, and other addresses in each region. So out goes HTTPS
        to anywhere; without `internet` there is no way to anywhere but the endpoints.
        """
        self._group.add_ingress_rule(group, HTTPS, "Tasks call services of AWS")
        group.add_egress_rule(
            aws_ec2.Peer.any_ipv4(), HTTPS, "Services of AWS; where there is a way to it, the internet"
        )

    def let_pull(self, repository_arn: str) -> None:
        """Images of the repository come through."""
        pull = {"BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"}
        for endpoint in self._ecr:
            _let_through(endpoint, "ecr", pull, [repository_arn])
            # Of no resource.
            _let_through(endpoint, "ecr", {"GetAuthorizationToken"}, ["*"])

    def let_log(self, logs: Sequence[str]) -> None:
        """What is written to these log groups comes through."""
        _let_through(self._logs, "logs", {"CreateLogStream", "PutLogEvents"}, logs)

    def let_actions(self, role: aws_iam.IRole) -> None:
        """The role of actions gets through to whatever its policies allow it."""
        for endpoint, service in zip(self._of_services, ("dynamodb", "s3", "sqs"), strict=True):
            _let_through(endpoint, service, {"*"}, ["*"], {"ArnEquals": {"aws:PrincipalArn": role.role_arn}})

    def _endpoint(self, name: str, service: aws_ec2.InterfaceVpcEndpointAwsService) -> aws_ec2.InterfaceVpcEndpoint:
        return self.vpc.add_interface_endpoint(
            name, service=service, open=False, security_groups=[self._group], subnets=self.tasks
        )

    def _log_flows(self, log_days: chosen.LogDays) -> None:
        """Of what was refused; what was let in, the load balancer logs, and it is too much to be written down twice."""
        role = aws_iam.Role(self, "FlowRole", assumed_by=aws_iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        self.vpc.add_flow_log(
            "Flows",
            destination=aws_ec2.FlowLogDestination.to_cloud_watch_logs(log_kept(self, log_days), role),
            traffic_type=aws_ec2.FlowLogTrafficType.REJECT,
        )


def _let_through(
    endpoint: aws_ec2.VpcEndpoint,
    service: str,
    actions: set[str],
    resources: Sequence[str],
    conditions: dict[str, dict[str, str]] | None = None,
) -> None:
    """An endpoint's policy grants nothing: who calls still needs to be allowed."""
    endpoint.add_to_policy(
        aws_iam.PolicyStatement(
            principals=[aws_iam.AnyPrincipal()],
            actions=[f"{service}:{action}" for action in sorted(actions)],
            resources=list(resources),
            conditions=conditions,
        )
    )
