"""Balancer: the load balancer before the intake, and the log of who asked what of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, Duration, RemovalPolicy, aws_ec2, aws_iam, aws_s3
from aws_cdk import aws_elasticloadbalancingv2 as elb
from constructs import Construct

from infra import nag

if TYPE_CHECKING:
    from aws_cdk import aws_ecs

    from infra import deployment as chosen
    from infra.network import Network

SLACK = 15
"""Seconds more than the longest wait for an answer, after which the load balancer closes a silent connection."""
LATER = 10
"""Seconds after which the service would: if it closed first, a request might just be on its way to it, and get 502."""
ANSWERS_GET = "405"
"""The public plane takes only POST. This answer says that it is there; whether it can do its work, ECS asks inside."""
PATH = "/v1/requests"


class Balancer(Construct):
    """An Application Load Balancer: HTTPS with a certificate, otherwise HTTP inside the network.

    It can be deleted: nothing is in it, and the records are protected where they are. Its logs are left in their
    bucket, which empties itself.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        wanted: chosen.Containers,
        network: Network,
        longest_wait: int,
        log_days: chosen.LogDays,
    ) -> None:
        super().__init__(scope, name)
        self._network = network
        self._longest_wait = longest_wait
        self._is_secure = bool(wanted.certificate)
        self._group = network.group("Balancer", "The load balancer of the intake")
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=network.vpc,
            internet_facing=wanted.public,
            vpc_subnets=aws_ec2.SubnetSelection(subnet_type=aws_ec2.SubnetType.PUBLIC)
            if wanted.public
            else network.tasks,
            security_group=self._group,
            drop_invalid_header_fields=True,
            idle_timeout=Duration.seconds(longest_wait + SLACK),
            deletion_protection=False,
        )
        self._log(log_days)
        self._listener = self.balancer.add_listener(
            "Listener",
            port=self._port,
            protocol=elb.ApplicationProtocol.HTTPS if self._is_secure else elb.ApplicationProtocol.HTTP,
            certificates=[elb.ListenerCertificate.from_arn(wanted.certificate)] if self._is_secure else None,
            ssl_policy=elb.SslPolicy.TLS13_12_RES_PQ if self._is_secure else None,
            open=False,
        )
        everybody = "0.0.0.0/0" if wanted.public else wanted.network
        if wanted.public:
            nag.accept(self._group, "EC23", "whoever may reach it is in `clients`; everybody, if nothing else is said")
        for clients in wanted.clients or [everybody]:
            self._group.add_ingress_rule(aws_ec2.Peer.ipv4(clients), aws_ec2.Port.tcp(self._port), "Clients")

    @property
    def url(self) -> str:
        """Where to POST. With a certificate, a name that it is for must point there."""
        return f"{'https' if self._is_secure else 'http'}://{self.balancer.load_balancer_dns_name}{PATH}"

    def forward(self, service: aws_ecs.FargateService, port: int) -> elb.ApplicationTargetGroup:
        """The service gets the requests. One of its tasks is stopped when what it was asked has been answered."""
        return self._listener.add_targets(
            "Api",
            protocol=elb.ApplicationProtocol.HTTP,
            port=port,
            targets=[service],
            deregistration_delay=Duration.seconds(min(3_600, self._longest_wait + 5)),
            # A request may wait for its end, and a body have a million lines: by turns would be no balance.
            load_balancing_algorithm_type=elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
            health_check=elb.HealthCheck(
                path=PATH,
                healthy_http_codes=ANSWERS_GET,
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=3,
            ),
        )

    @property
    def _port(self) -> int:
        return 443 if self._is_secure else 80

    def _log(self, log_days: int) -> None:
        bucket = aws_s3.Bucket(
            self,
            "Log",
            block_public_access=aws_s3.BlockPublicAccess.BLOCK_ALL,
            # A load balancer writes under no other key (ELB guide, "Enable access logs").
            encryption=aws_s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            lifecycle_rules=[
                aws_s3.LifecycleRule(
                    expiration=Duration.days(log_days), abort_incomplete_multipart_upload_after=Duration.days(1)
                )
            ],
            removal_policy=RemovalPolicy.RETAIN,
        )
        nag.accept(
            bucket, "S1", "it holds the access log of the load balancer; a log of who reads logs would have no end"
        )
        # The CDK would want to know the region, for accounts that wrote logs before this principal did.
        bucket.add_to_resource_policy(
            aws_iam.PolicyStatement(
                principals=[aws_iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"AWSLogs/{Aws.ACCOUNT_ID}/*")],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        self.balancer.set_attribute("access_logs.s3.enabled", "true")
        self.balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
        if bucket.policy is not None:
            # It writes a first file when it is made.
            self.balancer.node.add_dependency(bucket.policy)
