"""A proxy that puts misfortunes between a client and its AWS."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
Answer = tuple[int, list[tuple[str, str]], bytes]
OWN_HEADERS = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
REFUSALS = {
    "DynamoDB_20120810": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "AmazonSQS": "com.amazonaws.sqs#RequestThrottled",
}
THROTTLED = {"Error": {"Code": "ProvisionedThroughputExceeded", "Message": "by the fault proxy"}}
FAILED = {"SenderFault": False, "Code": "InternalError", "Message": "by the fault proxy"}


@dataclass(frozen=True)
class Throttle: ...


@dataclass(frozen=True)
class Denied: ...


@dataclass(frozen=True)
class Broken:
    status: int = 500


@dataclass(frozen=True)
class BrokenAfter:
    status: int = 500


@dataclass(frozen=True)
class ResetBefore: ...


@dataclass(frozen=True)
class ResetAfter: ...


@dataclass(frozen=True)
class SlowBefore:
    seconds: float  # Then it is forwarded even when nobody waits for it any more, but not when the proxy has stopped.


@dataclass(frozen=True)
class SlowAfter:
    seconds: float


@dataclass(frozen=True)
class PartlyThrottled:
    keep: Collection[int]  # The places in the batch; keys are counted on from table to table.


Fault = Throttle | Denied | Broken | BrokenAfter | ResetBefore | ResetAfter | SlowBefore | SlowAfter | PartlyThrottled
Batch = Generator[Json, Json, None]
"""Yields the request for what is kept, empty for nothing; is sent the answer to it; yields the answer to the whole."""


def _statements(request: Json, keep: Collection[int]) -> Batch:
    kept = [statement for at, statement in enumerate(request["Statements"]) if at in keep]
    answer = yield request | {"Statements": kept} if kept else {}
    answered = iter(answer.get("Responses", ()))
    yield {"Responses": [next(answered) if at in keep else THROTTLED for at in range(len(request["Statements"]))]}


def _entries(request: Json, keep: Collection[int]) -> Batch:
    kept = [entry for at, entry in enumerate(request["Entries"]) if at in keep]
    answer = yield request | {"Entries": kept} if kept else {}
    failed = [{"Id": entry["Id"], **FAILED} for at, entry in enumerate(request["Entries"]) if at not in keep]
    yield {"Successful": []} | answer | {"Failed": [*answer.get("Failed", ()), *failed]}


def _keys(request: Json, keep: Collection[int]) -> Batch:
    kept, withheld = Json(), Json()
    asked = request["RequestItems"]
    for at, (table, key) in enumerate((name, key) for name in asked for key in asked[name]["Keys"]):
        part = kept if at in keep else withheld
        part.setdefault(table, asked[table] | {"Keys": []})["Keys"].append(key)
    answer = yield request | {"RequestItems": kept} if kept else {}
    for table, left in answer.get("UnprocessedKeys", {}).items():
        withheld.setdefault(table, left | {"Keys": []})["Keys"].extend(left["Keys"])
    yield {"Responses": {}} | answer | {"UnprocessedKeys": withheld}


BATCHES = {"BatchExecuteStatement": _statements, "BatchGetItem": _keys}
BATCHES |= dict.fromkeys(("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"), _entries)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultProxy

    def do_POST(self) -> None:
        self.service, _, self.operation = str(self.headers["X-Amz-Target"]).rpartition(".")
        self.body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = None
        with suppress(OSError, HTTPException):
            answer = self._met(self.server.next_fault(self.operation, self.body))
        if answer is None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in OWN_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _met(self, fault: Fault | None) -> Answer | None:
        """What comes of the call; None is a reset."""
        answer = None
        if isinstance(fault, SlowBefore):
            self.server.wait(fault.seconds)
        if isinstance(fault, PartlyThrottled):
            answer = self._partly(fault.keep)
        elif not isinstance(fault, Throttle | Denied | Broken | ResetBefore):
            answer = self._forward(self.body)
        if isinstance(fault, SlowAfter):
            self.server.wait(fault.seconds)
        if isinstance(fault, Throttle):
            return self._own(400, {"__type": REFUSALS[self.service]})
        if isinstance(fault, Denied):
            return self._own(400, {"__type": "com.amazon.coral.service#AccessDeniedException"})
        if isinstance(fault, Broken | BrokenAfter):
            return self._own(fault.status, {"__type": "InternalServerError"})
        return None if isinstance(fault, ResetAfter) else answer

    def _partly(self, keep: Collection[int]) -> Answer:
        batch = BATCHES[self.operation](json.loads(self.body), keep)
        part = next(batch)
        answer = self._forward(json.dumps(part).encode()) if part else self._own(200, {})
        return self._own(200, batch.send(json.loads(answer[2]))) if answer[0] == 200 else answer

    def _own(self, status: int, body: Json) -> Answer:
        headers = [("Content-Type", "application/x-amz-json-1.0"), ("x-amzn-RequestId", "fault-proxy")]
        return status, headers, json.dumps(body).encode()

    def _forward(self, body: bytes) -> Answer:
        # One connection a call: one kept alive may be shut just when it is used, a fault that nobody planned.
        upstream = HTTPConnection(self.server.upstream)
        upstream.connect()
        with closing(upstream), self.server.held(upstream.sock):
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN_HEADERS}
            upstream.request("POST", self.path, body, headers)
            response = upstream.getresponse()
            return response.status, response.getheaders(), response.read()


class _Server(ThreadingTCPServer):
    """Started when made. When it has stopped, nothing is under way and no socket is open, on either side."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._change = threading.Condition()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self.serve_forever, args=(0.02,), name="fault-proxy", daemon=True).start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with suppress(OSError), self.held(request):
            self.finish_request(request, client_address)

    def wait(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError

    @contextmanager
    def held(self, line: socket.socket) -> Iterator[None]:
        with self._change:
            self._open.add(line)
        try:
            self.wait(0)
            yield
        finally:
            with self._change:
                line.close()
                self._open.discard(line)
                self._change.notify_all()

    def stop(self) -> None:
        self.shutdown()
        with self._change:
            self._stopping.set()
            for line in self._open:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            assert self._change.wait_for(lambda: not self._open, 5), "a call does not end"
        self.server_close()

    def __exit__(self, *_: object) -> None:
        self.stop()


class FaultProxy(_Server):
    """A call meets what is planned for its operation, else what it always meets, else nothing."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.calls: list[str] = []
        self.met = 0
        self._lock = threading.Lock()
        self._planned: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        super().__init__()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def plan(self, operation: str, *faults: Fault | None) -> None:
        """For its next calls, after those planned already."""
        with self._lock:
            self._planned[operation].extend(faults)

    def always(self, operation: str, fault: Fault) -> None:
        with self._lock:
            self._always[operation] = fault

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()
            self._always.clear()

    def next_fault(self, operation: str, body: bytes) -> Fault | None:
        """A batch that would be kept whole meets none."""
        with self._lock:
            self.calls.append(operation)
            planned = self._planned[operation]
            fault = planned.popleft() if planned else self._always.get(operation)
            if isinstance(fault, PartlyThrottled):
                request = json.loads(body)
                fault = None if next(BATCHES[operation](request, fault.keep)) == request else fault
            self.met += fault is not None
            return fault
