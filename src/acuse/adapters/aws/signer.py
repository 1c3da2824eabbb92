"""Signatures by AWS credentials, for an HTTP API with an IAM authorizer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from acuse.domain.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "execute-api"

_HOST = re.compile(r"\.execute-api(?:-fips)?\.([a-z0-9-]+)\.")


class SigV4:
    """Signs with the credentials that every AWS tool finds, as they are at that moment."""

    def __init__(self, region: str | None = None) -> None:
        """Without a region, it is the one in the address, else that of every AWS tool. Raises Misconfigured."""
        try:
            session = get_session()
            self._credentials = session.get_credentials()
            self._region = region
            self._usual_region = session.get_config_variable("region")
        except BotoCoreError as error:
            raise Misconfigured(f"nothing can be signed: {error}") from error
        if self._credentials is None:
            raise Misconfigured("nothing can be signed: no AWS credentials were found (aws configure, or AWS_PROFILE)")

    def signed(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """Those headers and the signature. The body's hash is in it. Raises Misconfigured."""
        request = AWSRequest(method="POST", url=url, headers=dict(headers), data=body)
        try:
            # Frozen: what is renewed in the middle would be half the one and half the other.
            credentials = self._credentials.get_frozen_credentials()
            SigV4Auth(credentials, SERVICE, self._region_for(url)).add_auth(request)
        except BotoCoreError as error:
            raise Misconfigured(f"nothing can be signed: {error}") from error
        return dict(request.headers.items())

    def _region_for(self, url: str) -> str:
        found = _HOST.search(urlsplit(url).hostname or "")
        region = self._region or (found and found[1]) or self._usual_region
        if not region:
            raise Misconfigured(f"nothing can be signed: no region was given (AWS_DEFAULT_REGION), and {url} has none")
        return str(region)
