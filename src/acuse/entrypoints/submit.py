"""Sends requests from a file, several at a time, each until it is answered."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import stamina

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ATTEMPTS = 20
TIMEOUT_SECONDS = 60.0
CONNECTIONS = 8
UNAVAILABLE = frozenset({429, 502, 503, 504})


class Reply(NamedTuple):
    """What the service said to one request."""

    status: int
    body: bytes

    @property
    def is_accepted(self) -> bool:
        """Whether it is, or already was, stored."""
        return self.status in (200, 201)


def requests_in(text: str) -> list[dict[str, Any]]:
    """The requests in a text: one JSON object, an array of them, or one a line. ValueError says what is wrong.

    A request without an id gets a new one.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = [_line(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    requests = found if isinstance(found, list) else [found]
    if not all(isinstance(one, dict) for one in requests):
        raise ValueError("every request must be a JSON object")
    return [{"id": str(uuid.uuid4()), **one} for one in requests]


def send(url: str, requests: Sequence[dict[str, Any]]) -> Iterator[Reply]:
    """The replies, in order. A request is sent again, with its id, while the service is unavailable or out of reach.

    Raises httpx.TransportError when it stays out of reach.
    """
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client, ThreadPoolExecutor(CONNECTIONS) as pool:
        yield from pool.map(lambda request: _send(client, url, request), requests)


class _Unavailable(httpx.TransportError):
    """The service said that it cannot take it now."""


def _send(client: httpx.Client, url: str, request: dict[str, Any]) -> Reply:
    for attempt in stamina.retry_context(on=httpx.TransportError, attempts=ATTEMPTS, timeout=TIMEOUT_SECONDS):
        with attempt:
            response = client.post(url, json=request)
            if response.status_code in UNAVAILABLE:
                raise _Unavailable(f"{response.status_code} {response.reason_phrase}")
            return Reply(response.status_code, response.content)
    raise AssertionError("stamina either returns an attempt or raises")


def _line(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is not JSON: {error}") from error
