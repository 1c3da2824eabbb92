"""The public plane: `POST /v1/requests`, and nothing else. Plain ASGI: one path and one method need no framework."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, assert_never

from acuse.application.intake import Intake, judge
from acuse.domain.errors import AcuseError, Invalid
from acuse.domain.outcome import Added, Conflict, Existing, Receipt
from acuse.domain.record import rfc3339
from acuse.domain.submission import parse
from acuse.domain.traceparent import valid_traceparent
from acuse.entrypoints.api import problems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence

    from acuse.application.actions import Catalogue
    from acuse.config import Settings
    from acuse.domain.submission import Submission
    from acuse.ports import Clock, Store

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Coroutine[Any, Any, Message]]
    Send = Callable[[Message], Awaitable[None]]
    Answer = tuple[dict[str, Any], dict[str, Any]]

Waiter = asyncio.Future[Receipt | AcuseError]

PATH = "/v1/requests"
ACCEPT = b"application/json"
MAX_DISCARDED = 8_388_608
"""Bytes of a body that is too large that are read and thrown away, so that the client hears why."""


class _Refused(Exception):
    """The request cannot be read any further."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _Gone(Exception):
    """The client left before its request was complete."""


class Api:
    """The ASGI app, made in the event loop that serves it."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        catalogue: Catalogue,
        settings: Settings,
        committed: Callable[[], None] | None,
    ) -> None:
        """`committed` is called whenever the store has shown that it takes writes; None: nobody wants to know."""
        self._loop = asyncio.get_running_loop()
        self._store = store
        self._catalogue = catalogue
        self._max_body = settings.max_body
        self._body_timeout = settings.body_timeout.total_seconds()
        self._retry_after = b"%d" % math.ceil(settings.retry_after.total_seconds())
        self._intake: Intake[Waiter] = Intake(
            store,
            clock,
            self._deliver,
            max_waiting=settings.max_waiting,
            max_waiting_bytes=settings.max_waiting_bytes,
            max_batch=settings.max_batch,
            committed=committed,
        )

    def start(self) -> None:
        """Requests are stored from now on."""
        self._intake.start()

    def close(self) -> None:
        """Everything that was taken in is stored."""
        self._intake.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            trace = self._check(scope)
            submission = parse(await self._read(receive), traceparent=trace)
            try:
                self._catalogue.check(submission)
            except Invalid as invalid:
                start, body = _answer_to(await self._earlier(submission, invalid))
            else:
                waiter: Waiter = self._loop.create_future()
                self._intake.offer(submission, waiter)
                start, body = _answer_to(await waiter)
        except _Refused as refused:
            start, body = refused.answer
        except AcuseError as error:
            start, body = self._refusal(error)
        except _Gone:
            return
        await send(start)
        await send(body)

    def _check(self, scope: Scope) -> str | None:
        """The trace context; raises for what is not served here, and for what cannot be read."""
        if scope["path"] != PATH:
            raise _Refused(_problem(problems.NOT_FOUND, f"POST to {PATH}"))
        if scope["method"] != "POST":
            headers = [(b"allow", b"POST"), (b"cache-control", b"no-store")]
            raise _Refused(_problem(problems.METHOD_NOT_ALLOWED, "use POST", headers))
        return self._check_headers(scope["headers"])

    async def _earlier(self, submission: Submission, invalid: Invalid) -> Receipt | AcuseError:
        """What the store has of the id, from before its action changed or went; without any, it is invalid."""
        stored = await asyncio.to_thread(self._store.get, [submission.id])
        if submission.id not in stored:
            return invalid
        return judge(submission, Existing(stored[submission.id]))

    def _deliver(self, receipts: Sequence[tuple[Waiter, Receipt | AcuseError]]) -> None:
        """Called in the intake's thread, once for a whole commit."""
        self._loop.call_soon_threadsafe(_resolve, receipts)

    def _check_headers(self, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        """The trace context; raises for what cannot be read."""
        media_type = coding = trace = None
        length = 0
        for name, value in headers:
            if name == b"content-type":
                media_type = _joined(media_type, value)
            elif name == b"content-length":
                length = int(value)
            elif name == b"content-encoding":
                coding = _joined(coding, value)
            elif name == b"traceparent":
                trace = _joined(trace, value)
        if media_type != ACCEPT and not _is_json(media_type or b""):
            raise _Refused(_problem(problems.UNSUPPORTED, "send application/json", [(b"accept", ACCEPT)]))
        if coding and coding.strip().lower() != b"identity":
            detail = "send the body without a content coding"
            raise _Refused(_problem(problems.UNSUPPORTED, detail, [(b"accept-encoding", b"identity")]))
        if length > self._max_body:
            # A client that is still sending would see its connection broken, and not the answer.
            raise _Refused(self._too_large(closing=length > MAX_DISCARDED))
        return None if trace is None else valid_traceparent(trace.decode("latin-1"))

    async def _read(self, receive: Receive) -> bytes:
        # Nearly every body is here already. Only one that makes us wait gets a timer, which costs more than reading.
        message, receiving = None, receive()
        try:
            receiving.send(None)
        except StopIteration as done:
            message = done.value
            if not message.get("more_body", False):
                return self._piece(message, 0)
        receiving.close()
        try:
            async with asyncio.timeout(self._body_timeout):
                message = message or await receive()
                body = bytearray(self._piece(message, 0))
                while message.get("more_body", False):
                    message = await receive()
                    body += self._piece(message, len(body))
                return bytes(body)
        except TimeoutError:
            detail = f"it was not complete after {self._body_timeout:g} seconds"
            raise _Refused(_problem(problems.BODY_TIMEOUT, detail, [(b"connection", b"close")])) from None

    def _piece(self, message: Message, so_far: int) -> bytes:
        if message["type"] == "http.disconnect":
            raise _Gone
        piece: bytes = message.get("body", b"")
        if so_far + len(piece) > self._max_body:
            raise _Refused(self._too_large(closing=True))
        return piece

    def _too_large(self, *, closing: bool) -> Answer:
        headers = [(b"connection", b"close")] if closing else []
        return _problem(problems.TOO_LARGE, f"at most {self._max_body} bytes are taken", headers)

    def _refusal(self, error: AcuseError) -> Answer:
        problem = problems.problem_of(error)
        headers = [(b"retry-after", self._retry_after)] if problem.status == 503 else []  # noqa: PLR2004
        # What the store says of itself is for the log, not for the client.
        detail = "try again later" if problem is problems.UNAVAILABLE else str(error)
        return _problem(problem, detail, headers, errors=error.errors if isinstance(error, Invalid) else ())


def _resolve(receipts: Sequence[tuple[Waiter, Receipt | AcuseError]]) -> None:
    for waiter, receipt in receipts:
        if not waiter.done():
            waiter.set_result(receipt)


def _answer_to(receipt: Receipt | AcuseError) -> Answer:
    match receipt:
        case Added(record=record):
            return _answer(201, ACCEPT, record.to_json())
        case Existing(record=record):
            return _answer(200, ACCEPT, record.to_json())
        case Conflict(record=record):
            detail = f"the request {record.id} was created at {rfc3339(record.created_at)} with other content"
            return _problem(problems.CONFLICT, detail, instance=f"urn:uuid:{record.id}")
        case AcuseError():
            raise receipt
        case _:
            assert_never(receipt)


def _problem(
    problem: problems.Problem,
    detail: str,
    headers: Sequence[tuple[bytes, bytes]] = (),
    **members: Any,
) -> Answer:
    return _answer(problem.status, problems.MEDIA_TYPE, problems.document(problem, detail, **members), headers)


def _answer(status: int, media_type: bytes, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    lines = [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), *headers]
    return {"type": "http.response.start", "status": status, "headers": lines}, {
        "type": "http.response.body",
        "body": body,
    }


def _joined(before: bytes | None, value: bytes) -> bytes:
    """Of a field that is repeated every value counts (RFC 9110 section 5.3)."""
    return value if before is None else before + b", " + value


def _is_json(media_type: bytes) -> bool:
    essence, *parameters = media_type.lower().split(b";")
    charsets = [
        value.strip(b' "')
        for name, _, value in (one.partition(b"=") for one in parameters)
        if name.strip() == b"charset"
    ]
    return essence.strip() == ACCEPT and all(charset == b"utf-8" for charset in charsets)
