"""A service on a real socket that keeps the contract from memory, but for the faults that a test writes down for it."""

from __future__ import annotations

import gzip
import json
import socket
import struct
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, no time: closing sends a reset."""


MANY = 100_000


class Fault(Protocol):
    """Answers one request otherwise than the contract says."""

    def __call__(self, service: Scripted, exchange: Exchange) -> None: ...


class Scripted:
    """What was stored, what came, and the faults that are still to come, one for each request."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.records: dict[str, dict[str, Any]] = {}
        self.came: list[Exchange] = []
        self.address = ""

    def item(self, index: int, text: bytes) -> dict[str, Any]:
        """What the contract says of one request."""
        request = json.loads(text)
        stamps = {"status": "accepted", "created_at": "2026-01-01T00:00:00.000000Z", "finished_at": None}
        known = self.records.get(request["id"])
        if known is None:
            self.records[request["id"]] = request | stamps
            return {"index": index, "id": request["id"], "status": 201, "record": request | stamps}
        if request | known != known:
            return {"index": index, "id": request["id"], "status": 409, "problem": problem(409, "conflict")}
        return {"index": index, "id": request["id"], "status": 200, "record": known}

    def items(self, exchange: Exchange) -> list[dict[str, Any]]:
        """What the contract says of each line that came."""
        return [self.item(index, line) for index, line in enumerate(exchange.lines)]

    def end(self, record: dict[str, Any]) -> None:
        record |= {"status": "finished", "finished_at": "2026-01-01T00:00:01.000000Z"}

    def answer(self, exchange: Exchange) -> None:
        """By the next fault, or by the contract."""
        self.came.append(exchange)
        if self.faults:
            self.faults.pop(0)(self, exchange)
        else:
            self.keep_contract(exchange)

    def keep_contract(self, exchange: Exchange) -> None:
        if exchange.is_bulk:
            exchange.say(207, ndjson(self.items(exchange)))
        else:
            item = self.item(0, exchange.body)
            exchange.say(item["status"], json.dumps(item.get("record", item.get("problem"))).encode())


class Exchange:
    """One request that came, and the way to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        self.headers = handler.headers
        self.path = handler.path
        self.raw = handler.rfile.read(int(handler.headers["content-length"]))
        self.body = gzip.decompress(self.raw) if handler.headers["content-encoding"] == "gzip" else self.raw
        self.is_bulk = handler.headers["content-type"] == "application/x-ndjson"

    @property
    def lines(self) -> list[bytes]:
        return self.body.splitlines()

    @property
    def ids(self) -> list[str]:
        return [json.loads(line)["id"] for line in self.lines]

    def say(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """The answer; `length` may promise more than there is, and then the connection ends."""
        self._handler.send_response(status)
        self._handler.send_header("content-length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self._handler.send_header(name, value)
        self._handler.end_headers()
        self._handler.wfile.write(body)
        self._handler.close_connection = length is not None

    def reset(self) -> None:
        """The connection breaks."""
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._handler.connection.close()
        self._handler.close_connection = True


def problem(status: int, slug: str, **members: Any) -> dict[str, Any]:
    return {"type": f"urn:acuse:problem:{slug}", "title": slug, "status": status, "detail": "as scripted", **members}


def ndjson(items: list[dict[str, Any]], *, totals: bool = True) -> bytes:
    last = [{"totals": {"items": len(items)}}] if totals else []
    return b"".join(json.dumps(line).encode() + b"\n" for line in [*items, *last])


def refuses(status: int, slug: str = "overloaded", **headers: str) -> Fault:
    """The whole body is answered with a problem; nothing of it is stored."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, exchange: exchange.say(status, json.dumps(problem(status, slug, new="member")).encode(), fields)


def always(fault: Fault) -> list[Fault]:
    return [fault] * MANY


def breaks_after_storing(service: Scripted, exchange: Exchange) -> None:
    service.items(exchange)
    exchange.reset()


@contextmanager
def scripted(*faults: Fault) -> Iterator[Scripted]:
    """The service while the block runs."""
    service = Scripted(*faults)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            service.answer(Exchange(self))

        def finish(self) -> None:
            if self.connection.fileno() >= 0:
                super().finish()

        def log_message(self, *_: object) -> None:
            """Nothing: what came is kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
