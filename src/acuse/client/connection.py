"""One service over HTTP: where it is, how it is reached, and what its answers mean."""

from __future__ import annotations

import re
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx

from acuse.client.errors import Unreachable, error_of
from acuse.client.patience import retry_after
from acuse.client.problem import Problem, problem_of
from acuse.domain.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from acuse.client.signer import Signer

PATH = "/v1/requests"
CONNECT = timedelta(seconds=5)
SMALL = 1_024
"""Bytes of a body that is not worth compressing."""
REDIRECTS = range(300, 400)

_KEY = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1


class Connection:
    """The way to one service."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        signer: Signer | None,
        insecure: bool,
        timeout: timedelta,
        transport: httpx.BaseTransport | None,
    ) -> None:
        """Nothing is sent yet. Raises ValueError for an address or a key that cannot be used."""
        where = _checked(url)
        is_here = is_loopback(where.host)
        headers = {}
        if key is not None and signer is not None:
            raise ValueError("a key and a signature are sent in the same place: only one of them can be")
        if (key is not None or signer is not None) and where.scheme != "https" and not is_here and not insecure:
            secret = "signature" if key is None else "key"
            raise ValueError(f"the {secret} could be read on its way to {where}: use https, or say insecure")
        if key is not None:
            if not _KEY.fullmatch(key):
                raise ValueError("the key has a character that no key has")
            headers["authorization"] = f"Bearer {key}"
        self.url = str(where)
        self._signer = signer
        self._timeout = timeout
        # What is on this machine is never reached by a proxy, which would see the key.
        self._http = httpx.Client(headers=headers, transport=transport, trust_env=not is_here)

    def close(self) -> None:
        """Its sockets are closed."""
        self._http.close()

    @contextmanager
    def post(
        self, body: bytes, headers: Mapping[str, str], *, gzip: bool = False, hold: timedelta = timedelta(0)
    ) -> Iterator[httpx.Response]:
        """The answer, which is still to be read, if it is a 2xx; `hold` is how long the service may hold it back.

        Raises Refused, Busy or Unreachable; Unreachable too if reading it fails.
        """
        if gzip and len(body) > SMALL:
            body, headers = _packed(body), {**headers, "content-encoding": "gzip"}
        if self._signer is not None:
            headers = self._signer.signed(self.url, headers, body)
        seconds = self._timeout.total_seconds()
        timeout = httpx.Timeout(
            seconds, connect=min(seconds, CONNECT.total_seconds()), read=seconds + hold.total_seconds()
        )
        try:
            with self._http.stream("POST", self.url, content=body, headers=dict(headers), timeout=timeout) as response:
                if not response.is_success:
                    _raise(response)
                yield response
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Unreachable(f"no answer from {self.url}: {type(error).__name__}: {error}") from error


def _raise(response: httpx.Response) -> None:
    if response.status_code in REDIRECTS:
        detail = f"redirects are not followed; it leads to {response.headers.get('location', 'nowhere')}"
        raise error_of(Problem(status=response.status_code, title=response.reason_phrase, detail=detail))
    asked = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
    raise error_of(problem_of(response.read(), response.status_code), asked)


def _checked(url: str) -> httpx.URL:
    """The address that requests are POSTed to, for the address of a service."""
    try:
        where = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"not an address: {error}") from error
    if where.scheme not in {"http", "https"} or not where.host:
        raise ValueError("the address is missing an 'http://' or 'https://' and a host")
    if where.userinfo or where.query or where.fragment:
        raise ValueError("the address has a user, a query or a fragment, which no service of this kind has")
    return where.copy_with(path=where.path.rstrip("/").removesuffix(PATH) + PATH)


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(level=1, wbits=31)
    return packer.compress(body) + packer.flush()
