"""The ASGI app of the public plane. One path and one method need no framework."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, assert_never

from acuse.adapters.spool import Spool
from acuse.application.observing import guarded, ignore
from acuse.domain import event
from acuse.domain.errors import AcuseError
from acuse.domain.outcome import Added, Conflict, Existing, Withheld
from acuse.domain.record import MAX_TOGETHER, MAX_TOGETHER_BYTES, Status
from acuse.entrypoints.api import problems
from acuse.entrypoints.api.access import Access
from acuse.entrypoints.api.answers import (
    JSON,
    Answer,
    Gone,
    Refused,
    refused_as_conflict,
    refused_for,
    too_large,
    whole_seconds,
)  # fmt: skip
from acuse.entrypoints.api.body import Body, Held, Share, is_array
from acuse.entrypoints.api.bulk import Bulk, Terms
from acuse.entrypoints.api.desk import Desk, Doubtful
from acuse.entrypoints.api.head import Head, read_head
from acuse.entrypoints.api.items import items_of_array, items_of_lines
from acuse.entrypoints.api.lines import Lines
from acuse.entrypoints.api.outflow import Outflow, Whole
from acuse.entrypoints.api.preferences import applied
from acuse.entrypoints.api.sheet import ARRAY, LINES, MOST_WHOLE
from acuse.entrypoints.api.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, MutableMapping, Sequence

    from acuse.application.actions import Catalogue
    from acuse.application.intake import Reply
    from acuse.config import Settings
    from acuse.domain.record import Record
    from acuse.entrypoints.api.access import Meter
    from acuse.entrypoints.api.answers import Headers
    from acuse.entrypoints.api.outflow import Send
    from acuse.entrypoints.api.sheet import Form
    from acuse.ports import Clock, Keyring, Store

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Coroutine[Any, Any, Message]]


class Api:
    """The ASGI app, made in the event loop that serves it."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        clock: Clock,
        catalogue: Catalogue,
        settings: Settings,
        committed: Callable[[], None] | None,
        *,
        streams: bool = True,
        observe: event.Observe = ignore,
    ) -> None:
        """`committed` is called whenever the store has shown that it takes writes; None: nobody wants to know.

        `streams`: whether bodies and answers pass piece by piece; where they do not, NDJSON has the bounds of an array.
        """
        self._settings = settings
        self._streams = streams
        self._observe = guarded(observe)
        self._desk = Desk(store, clock, catalogue, settings, committed, self._observe)
        self._access = Access(keyring, settings)
        self._waiting = Waiting(store)
        self._held = Held(settings.max_held_bytes)
        self._streaming = 0
        self._retry_after = whole_seconds(settings.retry_after.total_seconds())

    def start(self) -> None:
        """Requests are stored from now on."""
        self._desk.start()

    def hurry(self) -> None:
        """Those who wait for the end of a request are answered now."""
        self._waiting.end()

    def close(self) -> None:
        """Everything that was taken in is stored."""
        self._desk.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        more: Headers = []
        try:
            head, authorization = read_head(scope)
            if self._access.is_stale:
                await self._access.refresh()
            meter = self._access.admit(authorization)
            if meter is not None:
                meter.spend()
                more = meter.headers()
            if isinstance(head, Refused):
                raise head
            body = Body(receive, self._settings, is_gzip=head.is_gzip, length=head.length)
            streams = self._streams
            if scope["http_version"] == "1.0":  # It knows no chunks (RFC 9112 section 6.1).
                send, streams = Whole(send).send, False
            if head.is_lines and streams and not head.prefer.strict:
                await self._stream(body, send, self._terms(LINES, head, meter, streams=True), more)
                return
            with self._held.share() as share:
                whole = await body.whole(share.grow, is_lines=head.is_lines)
                if head.is_lines or is_array(whole):
                    terms = self._terms(LINES if head.is_lines else ARRAY, head, meter, streams=streams)
                    await self._bulk(whole, send, terms, more, share)
                    return
            answer = await self._single(whole, head, receive)
        except Refused as refused:
            answer = self._refuse(refused)
        except AcuseError as error:
            answer = self._refuse(refused_for(error, self._retry_after))
        except Gone:
            return
        start, content = answer.messages(more)
        await send(start)
        await send(content)

    def _refuse(self, refused: Refused) -> Answer:
        self._observe(event.Refused(refused.problem.slug, 1))
        return refused.answer()

    async def _single(self, body: bytes, head: Head, receive: Receive) -> Answer:
        judged = self._desk.judge(body, head.trace)
        replies: Sequence[Reply]
        if isinstance(judged, Doubtful):
            replies = await self._desk.earlier([judged])
        else:
            replies = await self._desk.offer([judged])
        match replies[0]:
            case Added(record=record):
                return await self._answer(201, record, head, receive)
            case Existing(record=record):
                return await self._answer(200, record, head, receive)
            case Conflict() as conflict:
                raise refused_as_conflict(conflict)
            case AcuseError() as error:
                raise error
            case Withheld():
                raise TypeError("nothing is withheld from a request that comes alone")
            case _:
                assert_never(replies[0])

    async def _answer(self, status: int, record: Record, head: Head, receive: Receive) -> Answer:
        head.span.about(record)
        prefer = head.prefer._replace(strict=False)
        if prefer.wait is not None:
            prefer = prefer._replace(wait=min(prefer.wait, int(self._settings.max_wait.total_seconds())))
            if record.status is Status.ACCEPTED:
                record = await self._ended(record, prefer.wait or 0, receive)
        headers = [(b"content-type", JSON), *applied(prefer)]
        return Answer(status, headers, record.to_json(minimal=prefer.minimal))

    async def _ended(self, record: Record, seconds: int, receive: Receive) -> Record:
        """The record when it has ended or the time is over, unless the client leaves: then Gone."""
        ended = asyncio.create_task(self._waiting.ended(record.id, seconds, record.traceparent))
        left = asyncio.create_task(receive())
        try:
            await asyncio.wait((ended, left), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                raise Gone
            return ended.result() or record
        finally:
            for task in (ended, left):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _stream(self, body: Body, send: Send, terms: Terms, more: Headers) -> None:
        """NDJSON, answered while it is read."""
        if self._streaming >= self._settings.max_streams:
            detail = "too many streams of requests are being read"
            raise Refused(problems.OVERLOADED, detail, headers=[(b"retry-after", self._retry_after)])
        self._streaming += 1
        try:
            async with self._outflow(send, terms, more) as out, Bulk(self._desk, out, terms) as bulk:
                lines = Lines(self._settings.max_body)
                problem: Refused | None = None
                try:
                    async for piece in body.pieces():
                        await bulk.take(lines.feed(piece))
                    await bulk.take(lines.end())
                except Refused as refused:
                    if not bulk.has_begun:
                        raise
                    problem = refused
                await bulk.end(problem)
        finally:
            self._streaming -= 1

    async def _bulk(self, body: bytes, send: Send, terms: Terms, more: Headers, share: Share) -> None:
        """An array, or lines that are all here."""
        is_strict = terms.prefer.strict
        if is_strict and len(body) > MAX_TOGETHER_BYTES:
            raise too_large(f"at most {MAX_TOGETHER_BYTES} bytes are taken in this way", closing=False)
        most = min(self._settings.max_items, MAX_TOGETHER) if is_strict else self._settings.max_items
        items_of = items_of_lines if terms.form is LINES else items_of_array
        items = items_of(body, longest=self._settings.max_body, most=most)
        async with self._outflow(send, terms, more) as out, Bulk(self._desk, out, terms) as bulk:
            problem: Refused | None = None
            try:
                await (bulk.take_together(items) if is_strict else bulk.take(items))
            except Refused as refused:
                if not bulk.has_begun:
                    raise
                problem = refused
            share.release()
            await bulk.end(problem)

    def _terms(self, form: Form, head: Head, meter: Meter | None, *, streams: bool) -> Terms:
        return Terms(
            form=form,
            trace=head.trace,
            prefer=head.prefer._replace(wait=None),
            max_body=self._settings.max_body,
            retry_after=self._retry_after,
            most=None if streams else MOST_WHOLE,
            meter=meter,
            observe=self._observe,
            span=head.span,
        )

    def _outflow(self, send: Send, terms: Terms, more: Headers) -> Outflow:
        headers = [(b"content-type", terms.form.media_type), *applied(terms.prefer), *more]
        start = {"type": "http.response.start", "status": 207, "headers": headers}
        folder = self._settings.data if self._settings.data.is_dir() else None
        patience = self._settings.answer_timeout.total_seconds()
        return Outflow(send, start, Spool(folder), most=self._settings.max_spool, patience=patience)
