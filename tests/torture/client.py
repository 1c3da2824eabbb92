"""A client: sends requests in every way there is, and writes down each 2xx as soon as it has read it."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.torture.requests import altered, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

    from tests.torture.ledger import Ledger
    from tests.torture.requests import Members

TIMEOUT_SECONDS = 15.0
PAUSE_SECONDS = 0.05
"""Before what was not acknowledged is sent again."""
MOST_LINES = 60
MOST_REPLAYED = 1_000
REFUSED_FOR_NOW = frozenset({429, 503})


class Client(threading.Thread):
    """Sends until it is told to stop; then it ends after the answer that it waits for."""

    def __init__(self, url: str, ledger: Ledger, random: Random, stop: threading.Event, *, pace: float) -> None:
        """`pace`: seconds between what it sends. The address must stay the same when the service is restarted."""
        super().__init__(name="torture-client", daemon=True)
        self._address = urlsplit(url)
        self._ledger = ledger
        self._random = random
        self._stop_asked = stop
        self._pace = pace
        self._connection: HTTPConnection | None = None
        self._ways: list[tuple[Callable[[], None], int]] = [
            (self._send_one, 50),
            (self._send_lines, 20),
            (self._send_array, 6),
            (self._send_one_again, 12),
            (self._send_other_content, 6),
            (self._leave_in_the_middle, 6),
        ]

    def run(self) -> None:
        ways, weights = zip(*self._ways, strict=True)
        while not self._stop_asked.wait(self._pace):
            self._random.choices(ways, weights)[0]()
        self._hang_up()

    def replay(self, acknowledged: Sequence[Members]) -> None:
        """Each was sent once more and answered with 200, as one that is there; else it is a breach."""
        for start in range(0, len(acknowledged), MOST_REPLAYED):
            requests = list(acknowledged[start : start + MOST_REPLAYED])
            answer = self._exchange("application/x-ndjson", _lines(requests))
            items = [] if answer is None else [item for item in self._items(answer) if "index" in item]
            if len(items) < len(requests):
                self._ledger.breach(f"{len(items)} of {len(requests)} that were sent again were answered")
            for item in items:
                if item["status"] != 200 or item["record"]["finished_at"] is None:
                    self._ledger.breach(f"sent again in the end: {item}")
                self._entered(requests[item["index"]], item["status"], item.get("record"), time.time())
        self._hang_up()

    def _send_one(self) -> None:
        self._until_acknowledged([request(self._random)], self._post_one)

    def _send_lines(self) -> None:
        self._until_acknowledged(self._several(), self._post_lines)

    def _send_array(self) -> None:
        self._until_acknowledged(self._several(), self._post_array)

    def _several(self) -> list[Members]:
        return [request(self._random) for _ in range(self._random.randint(1, MOST_LINES))]

    def _send_one_again(self) -> None:
        members = self._ledger.any_acknowledged(self._random)
        if members is not None:
            self._until_acknowledged([members], self._post_one)

    def _send_other_content(self) -> None:
        members = self._ledger.any_acknowledged(self._random)
        if members is None:
            return
        answer = self._exchange("application/json", _encoded(altered(members)))
        if answer is not None and answer.status != 409 and answer.status not in REFUSED_FOR_NOW:
            self._ledger.breach(f"{members['id']}: {answer.status} for other content, where 409 is due")
        if answer is not None:
            self._finish(answer)

    def _leave_in_the_middle(self) -> None:
        """It was cut off while it sent: nothing of it may be half there."""
        requests = self._several()
        self._ledger.send(requests)
        body = _lines(requests)
        kept = body[: self._random.randrange(len(body))]
        head = f"POST {self._address.path} HTTP/1.1\r\nHost: torture\r\nContent-Type: application/x-ndjson\r\n"
        try:
            address = (self._address.hostname or "", self._address.port or 80)
            with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
                connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + kept)
        except OSError:
            return

    def _until_acknowledged(self, requests: list[Members], post: Callable[[list[Members]], list[Members]]) -> None:
        """Sent again until all of it is acknowledged, as by one who wants it done; or given up after one try."""
        wants = self._random.random() < 0.7
        while requests := post(requests):
            if not wants or self._stop_asked.wait(PAUSE_SECONDS):
                return

    def _post_one(self, requests: list[Members]) -> list[Members]:
        sent_at = self._ledger.send(requests)
        answer = self._exchange("application/json", _encoded(requests[0]))
        body = None if answer is None else self._finish(answer)
        if answer is None or body is None:
            return requests
        return self._entered(requests[0], answer.status, _decoded(body), sent_at)

    def _post_lines(self, requests: list[Members]) -> list[Members]:
        sent_at = self._ledger.send(requests)
        answer = self._exchange("application/x-ndjson", _lines(requests))
        if answer is None:
            return requests
        if answer.status != 207:
            self._finish(answer)
            return self._refused(answer, requests)
        rest = list(requests)
        for item in self._items(answer):
            if "index" in item:
                members = requests[item["index"]]
                if not self._entered(members, item["status"], item.get("record"), sent_at):
                    rest.remove(members)
        return rest

    def _post_array(self, requests: list[Members]) -> list[Members]:
        sent_at = self._ledger.send(requests)
        answer = self._exchange("application/json", b"[" + b",".join(map(_encoded, requests)) + b"]")
        body = None if answer is None else self._finish(answer)
        if answer is None or body is None:
            return requests
        if answer.status != 207:
            return self._refused(answer, requests)
        rest: list[Members] = []
        for members, item in zip(requests, _decoded(body)["items"], strict=True):
            rest += self._entered(members, item["status"], item.get("record"), sent_at)
        return rest

    def _items(self, answer: HTTPResponse) -> Iterator[Any]:
        """The lines of an answer, each as soon as it is whole; what comes before a cut counts."""
        try:
            while line := answer.readline():
                if line.endswith(b"\n"):
                    yield _decoded(line)
        except (OSError, HTTPException):
            self._hang_up()

    def _entered(self, members: Members, status: int, record: Any, sent_at: float) -> list[Members]:
        """The request, if it has to be sent again."""
        if status in {200, 201}:
            if record is not None:
                self._ledger.tell(members, record, sent_at)
            self._ledger.acknowledge(members, sent_at, None if record is None else record["created_at"])
            return []
        if status not in REFUSED_FOR_NOW:
            self._ledger.breach(f"{members['id']}: refused with {status}: {record}")
            return []
        return [members]

    def _refused(self, answer: HTTPResponse, requests: list[Members]) -> list[Members]:
        if answer.status not in REFUSED_FOR_NOW:
            self._ledger.breach(f"{answer.status} for {len(requests)} requests")
        return requests

    def _exchange(self, kind: str, body: bytes) -> HTTPResponse | None:
        """The head of the answer; None when there is none, whatever became of the request."""
        if self._connection is None:
            host, port = self._address.hostname or "", self._address.port
            self._connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        try:
            self._connection.request("POST", self._address.path, body, {"content-type": kind})
            return self._connection.getresponse()
        except (OSError, HTTPException):
            self._hang_up()
            return None

    def _finish(self, answer: HTTPResponse) -> bytes | None:
        """The whole body; None when it was cut off."""
        try:
            return answer.read()
        except (OSError, HTTPException):
            self._hang_up()
            return None

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _encoded(members: Members) -> bytes:
    return json.dumps(members).encode()


def _lines(requests: list[Members]) -> bytes:
    return b"".join(_encoded(members) + b"\n" for members in requests)


def _decoded(body: bytes) -> Any:
    return json.loads(body)
