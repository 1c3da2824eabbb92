"""Sends requests from a file, several at a time, each until it is answered."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import httpx
import msgspec
import stamina

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ATTEMPTS = 20
TIMEOUT_SECONDS = 60.0
CONNECTIONS = 8
UNAVAILABLE = frozenset({429, 502, 503, 504})
HEADERS = {"content-type": "application/json"}


class Reply(NamedTuple):
    """What the service said to one request."""

    status: int
    body: bytes

    @property
    def is_accepted(self) -> bool:
        """Whether it is, or already was, stored."""
        return self.status in (200, 201)


def requests_in(text: bytes) -> list[bytes]:
    """The requests in a text, as they are written: one JSON object, an array of them, or one a line.

    A request without an id gets a new one. ValueError says what cannot be a request.
    """
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        whole = msgspec.json.decode(text, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        return [_with_id(line, f"line {number}") for number, line in enumerate(text.split(b"\n"), 1) if line.strip()]
    if isinstance(whole, dict):
        return [_with_id(text, "the request")]
    return [_with_id(bytes(item), f"item {number}") for number, item in enumerate(whole, 1)]


def send(url: str, requests: Sequence[bytes]) -> Iterator[Reply]:
    """The replies, in order. A request is sent again, with its id, while the service is unavailable or out of reach.

    Raises httpx.TransportError when it stays out of reach, httpx.InvalidURL or httpx.UnsupportedProtocol at once.
    """
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, headers=HEADERS) as client:
            yield from pool.map(lambda request: _send(client, url, request), requests)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _UnavailableError(httpx.TransportError):
    """The service said that it cannot take it now."""


def _is_passing(error: Exception) -> bool:
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.UnsupportedProtocol)


def _send(client: httpx.Client, url: str, request: bytes) -> Reply:
    for attempt in stamina.retry_context(on=_is_passing, attempts=ATTEMPTS, timeout=TIMEOUT_SECONDS):
        with attempt:
            response = client.post(url, content=request)
            if response.status_code in UNAVAILABLE:
                raise _UnavailableError(f"{response.status_code} {response.reason_phrase}")
            return Reply(response.status_code, response.content)
    raise AssertionError("stamina either returns an attempt or raises")


def _with_id(text: bytes, name: str) -> bytes:
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise ValueError(f"{name} is not a JSON object: {error}") from error
    if "id" in members:
        return text
    rest = text.strip()[1:]
    return b'{"id":"%b"%b%b' % (str(uuid.uuid4()).encode(), b"," if members else b"", rest)
