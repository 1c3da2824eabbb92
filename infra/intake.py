"""The door: an HTTP API that lets in whom it knows, at a bounded rate, and the function that answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, aws_apigatewayv2, aws_apigatewayv2_authorizers, aws_apigatewayv2_integrations
from constructs import Construct

from infra import grants, nag
from infra.deployment import Access
from infra.function import Function
from infra.log import log_kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra import deployment as chosen
    from infra.bundle import Code
    from infra.storage import StorageStack

TIMEOUT = Duration.seconds(29)
"""An HTTP API waits 30 seconds, no longer (API Gateway quotas)."""
ACCESS = {
    "time": "$context.requestTime",
    "id": "$context.requestId",
    "address": "$context.identity.sourceIp",
    "caller": "$context.identity.caller",
    "method": "$context.httpMethod",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "error": "$context.error.responseType",
}
"""A line of the access log. Paths, queries and bodies are not in it: anybody may write anything there."""


class Intake(Construct):
    """The HTTP API, and the function behind it."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        wanted: chosen.Intake,
        storage: StorageStack,
        code: Code,
        environment: Mapping[str, str],
        log_days: chosen.LogDays,
    ) -> None:
        super().__init__(scope, name)
        asks = {} if wanted.access is Access.KEYS else {"ACUSE_ALLOW_ANYONE": "true"}
        self.function = Function(
            self,
            "Api",
            module="api",
            code=code,
            environment={**environment, **asks},
            memory=wanted.memory,
            timeout=TIMEOUT,
            log_days=log_days,
            description="Stores requests and answers them",
        )
        grants.on_table(self.function.role, storage, grants.API)
        self.api = aws_apigatewayv2.HttpApi(
            self,
            "HttpApi",
            description="acuse: POST /v1/requests",
            create_default_stage=False,
            default_authorizer=_authorizer(wanted),
            default_integration=aws_apigatewayv2_integrations.HttpLambdaIntegration(
                "Integration",
                self.function.function,
                payload_format_version=aws_apigatewayv2.PayloadFormatVersion.VERSION_2_0,
            ),
        )
        if wanted.access is Access.KEYS:
            nag.accept(self.api, "APIG4", "the function asks for a key of the service, and lets nobody in without")
        self.stage = aws_apigatewayv2.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=aws_apigatewayv2.ThrottleSettings(rate_limit=wanted.rate, burst_limit=wanted.burst),
        )
        self.log = log_kept(self, log_days)
        cast(
            "aws_apigatewayv2.CfnStage", self.stage.node.default_child
        ).access_log_settings = aws_apigatewayv2.CfnStage.AccessLogSettingsProperty(
            destination_arn=self.log.log_group_arn, format=json.dumps(ACCESS)
        )


def _authorizer(wanted: chosen.Intake) -> aws_apigatewayv2.IHttpRouteAuthorizer | None:
    match wanted.access:
        case Access.IAM:
            return aws_apigatewayv2_authorizers.HttpIamAuthorizer()
        case Access.JWT:
            return aws_apigatewayv2_authorizers.HttpJwtAuthorizer(
                "Tokens", wanted.issuer, jwt_audience=list(wanted.audience)
            )
        case Access.KEYS:
            return None
