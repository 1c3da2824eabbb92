"""What stands before the service where an IAM authorizer does: it works out each signature and lets no other in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.integration.scripted import Exchange, Fault, Scripted

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCWV1LXdlc3QtMSJH==",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SKEW = timedelta(minutes=5)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/execute-api/aws4_request,"
    r" SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def _now() -> datetime:
    return datetime.now(UTC)


class Verifier:
    """Answers 403 to what is not signed as it must be; to the rest by the faults that are left, or by the contract."""

    def __init__(self, *faults: Fault, now: Callable[[], datetime] = _now, secret: str = "") -> None:
        self.signatures: list[str] = []
        self._faults = list(faults)
        self._now = now
        self._credentials = Credentials(
            ENVIRONMENT["AWS_ACCESS_KEY_ID"],
            secret or ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
            ENVIRONMENT["AWS_SESSION_TOKEN"],
        )

    def __call__(self, service: Scripted, exchange: Exchange) -> None:
        if not self._is_right(exchange):
            exchange.say(403, b'{"message":"Forbidden"}', {"content-type": "application/json"})
        elif self._faults:
            self._faults.pop(0)(service, exchange)
        else:
            service.keep_contract(exchange)

    def _is_right(self, exchange: Exchange) -> bool:
        told = _AUTHORIZATION.fullmatch(exchange.headers.get("authorization", ""))
        stamp = exchange.headers.get("x-amz-date", "")
        if told is None or told["key"] != self._credentials.access_key or told["day"] != stamp[:8]:
            return False
        names = told["names"].split(";")
        signed = {name: exchange.headers.get(name, "") for name in names}
        if not {"host", "x-amz-date", "x-amz-security-token"} <= signed.keys():
            return False
        if abs(self._now() - datetime.strptime(stamp, SIGV4_TIMESTAMP).replace(tzinfo=UTC)) > SKEW:
            return False
        self.signatures.append(told["signature"])
        return self._signature(exchange, signed, told["region"], stamp) == told["signature"]

    def _signature(self, exchange: Exchange, signed: Mapping[str, str], region: str, stamp: str) -> str:
        request = AWSRequest("POST", f"http://{signed['host']}{exchange.path}", headers=signed, data=exchange.raw)
        request.context["timestamp"] = stamp
        auth = SigV4Auth(self._credentials, "execute-api", region)
        return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))
