"""A steady rate of requests: the schedule does not wait for answers."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.soak.ledger import Answer, Row
from tests.soak.shot import CREATED, OK, OLD, Kind, Sent, Shot, shot

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 32
TIMEOUT_SECONDS = 30.0
UNREAD_SECONDS = 2.0
RECENT = 200
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PATH = "/v1/requests"
UNAVAILABLE = 503


class Load:
    """A clock that says what is due, and clients, each a thread with a connection that it keeps, that send it."""

    def __init__(self, url: str, *, rate: float, seed: int, recent: float, leak: int = 0) -> None:
        """Nothing is sent yet. `recent`: seconds for which what was acknowledged may be sent again."""
        self.sent = 0
        self.late: deque[float] = deque(maxlen=100_000)
        """Seconds from when a request was due to when a client was free to send it."""
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self._rate, self._seed, self._young, self._leak = rate, seed, recent, leak
        self._due: SimpleQueue[tuple[float, Shot] | None] = SimpleQueue()
        self._recent: deque[tuple[float, Sent]] = deque(maxlen=RECENT)
        self._answers: deque[Answer] = deque()

    def run(self, seconds: float, stopped: threading.Event) -> None:
        """Everything was sent when it was due, and was answered; or it was stopped."""
        clients = [threading.Thread(target=self._work, name="client") for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        begun = time.monotonic()
        while self.sent < seconds * self._rate and not stopped.is_set():
            due = begun + self.sent / self._rate
            self._due.put((due, shot(self._seed, self.sent, self._known(), self._leak)))
            self.sent += 1
            stopped.wait(max(0.0, due + 1 / self._rate - time.monotonic()))
        for _ in clients:
            self._due.put(None)
        for client in clients:
            client.join()

    def answers(self) -> Iterator[Answer]:
        """What came since this was called last."""
        while self._answers:
            yield self._answers.popleft()

    def _known(self) -> list[Sent]:
        young = time.monotonic() - self._young
        return [sent for at, sent in tuple(self._recent) if at > young]

    def _work(self) -> None:
        kept = self._connection()
        while (one := self._due.get()) is not None:
            due, what = one
            late = time.monotonic() - due
            self.late.append(late)
            try:
                # What it is about may be purged by the time it arrives.
                is_late = what.kind in OLD and late > self._young
                answer = Answer("old, too late", 0) if is_late else self._fire(what, due, kept)
            except Exception as error:  # noqa: BLE001  (whatever it is, the run goes on and its end tells)
                answer = _wrong(what, f"{type(error).__name__}: {error}")
            if what.kind in {Kind.SINGLE, Kind.BULK} and answer.accepted:
                self._recent.append((time.monotonic(), what.requests[0]))
            self._answers.append(answer)
        kept.close()

    def _fire(self, what: Shot, due: float, kept: HTTPConnection) -> Answer:
        match what.kind:
            case Kind.HALF:
                self._leave(what, len(what.body) // 2, 0)
                return Answer(what.kind, 0)
            case Kind.DEAF | Kind.UNREAD:
                self._leave(what, len(what.body), UNREAD_SECONDS if what.kind is Kind.UNREAD else 0)
                return Answer(what.kind, 0, doubtful=tuple(sent.id for sent in what.requests))
        with closing(self._connection()) as other:
            status, text = _asked(what, other if what.is_fresh else kept)
        return judged(what, status, text, time.monotonic() - due)

    def _connection(self) -> HTTPConnection:
        return HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)

    def _leave(self, what: Shot, much: int, seconds: float) -> None:
        """So much of the body was sent; no answer was read for so long; then the client was gone."""
        lines = [f"POST {PATH} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(what.body)}"]
        lines += [f"{name}: {value}" for name, value in what.headers.items()]
        with socket.socket() as connection, suppress(ConnectionError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect((self._host, self._port))
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + what.body[:much])
            threading.Event().wait(seconds)


def judged(what: Shot, status: int, text: bytes, seconds: float) -> Answer:
    """What the answer means. Pure."""
    ids = tuple(sent.id for sent in what.requests)
    if status == UNAVAILABLE:
        return Answer(what.kind, seconds, doubtful=ids, refused=text.decode())
    if status not in what.expected:
        return _wrong(what, f"{status} {text[:300]!r} for {what.body[:300]!r}")
    match what.kind:
        case Kind.SINGLE | Kind.WAIT:
            return Answer(what.kind, seconds, accepted=ids)
        case Kind.REPLAY:
            return Answer(what.kind, seconds, seen=((ids[0], _row(json.loads(text))),))
        case Kind.BULK:
            return _judged_many(what, [json.loads(line) for line in text.splitlines()], seconds)
        case _:
            return Answer(what.kind, seconds)


def _judged_many(what: Shot, lines: list[dict[str, Any]], seconds: float) -> Answer:
    *items, last = lines
    statuses = {item["id"]: item["status"] for item in items}
    if [sent.id for sent in what.requests] != list(statuses) or "problem" in last:
        return _wrong(what, f"items of {len(what.requests)} answered: {lines}")
    return Answer(
        what.kind,
        seconds,
        accepted=tuple(id_ for id_, status in statuses.items() if status in {OK, CREATED}),
        doubtful=tuple(id_ for id_, status in statuses.items() if status == UNAVAILABLE),
        refused="some" if UNAVAILABLE in statuses.values() else "",
        wrong=str(lines) if set(statuses.values()) - {OK, CREATED, UNAVAILABLE} else "",
    )


def _asked(what: Shot, connection: HTTPConnection) -> tuple[int, bytes]:
    """The answer. On a connection that was kept, it is sent again if that turns out to be closed."""
    is_old = connection.sock is not None
    try:
        connection.request("POST", PATH, what.body, what.headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (HTTPException, OSError):
        connection.close()
        if is_old:
            return _asked(what, connection)
        raise


def _row(record: dict[str, Any]) -> Row:
    return Row(record["status"], _micros(record["created_at"]) or 0, _micros(record["finished_at"]))


def _micros(text: str | None) -> int | None:
    return None if text is None else (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def _wrong(what: Shot, how: str) -> Answer:
    return Answer(what.kind, 0, doubtful=tuple(sent.id for sent in what.requests), wrong=how)
