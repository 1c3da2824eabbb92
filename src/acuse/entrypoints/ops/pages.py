"""The pages that people look at, and the one thing that they may do there."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from acuse.domain.errors import Misconfigured
from acuse.domain.submission import UUID
from acuse.entrypoints.ops.list_page import ROWS, asked_for, list_view
from acuse.entrypoints.ops.look import Look, known
from acuse.entrypoints.ops.overview_page import overview_view
from acuse.entrypoints.ops.record_page import page_of_parts, pages_of_parts, record_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from acuse.domain.record import Record
    from acuse.entrypoints.ops.sources import Sources
    from acuse.entrypoints.ops.templating import Templates

MAX_FORM = 1_000
"""Bytes of a form, which has no field."""


class Message(msgspec.Struct, frozen=True):
    """A page that only says something."""

    title: str
    text: str


class Pages:
    """What they show is looked up in threads; of the overview, once for all who have it open."""

    def __init__(self, sources: Sources, templates: Templates, silent: Callable[[], Mapping[str, float]]) -> None:
        """`silent`: parts of the service that do not show themselves, and for how many seconds."""
        self._sources = sources
        self._templates = templates
        self._silent = silent
        self._look = Look(sources)

    def routes(self) -> list[Route]:
        """Where each page is."""
        return [
            Route("/", self.overview),
            Route("/requests", self.listing),
            Route("/requests/{id}", self.record),
            Route("/requests/{id}/retry", self.retry, methods=["POST"]),
            Route("/static/{name}", self.asset),
        ]

    async def overview(self, _: Request) -> Response:
        """Whether all is well; that it is not is no error of the page."""
        view = overview_view(await self._look.seen(), self._silent())
        return self._templates.page("overview", view, self._sources.clock.now())

    def listing(self, request: Request) -> Response:
        """Requests that fit a filter."""
        query = request.query_params
        now = self._sources.clock.now()
        id_ = query.get("id", "").strip().lower()
        if id_:
            if not UUID.fullmatch(id_):
                raise HTTPException(400, "That is no id of a request: it has the form of a UUID.")
            return RedirectResponse(f"/requests/{id_}", 303)
        actions = known(self._sources)
        asked = asked_for(query)
        if asked.problems:
            return self._templates.page("requests", list_view(asked, actions), now, 400)
        try:
            page = self._sources.overview.find(asked.filter, ROWS, asked.after)
        except Misconfigured as error:
            if asked.after is None:  # It is the store that cannot be used.
                raise
            raise HTTPException(400, "There is no such page of the list; begin at the first one.") from error
        return self._templates.page("requests", list_view(asked, actions, page), now)

    def record(self, request: Request) -> Response:
        """One request."""
        record = self._found(request)
        text = request.query_params.get("parts", "1")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0  # noqa: PLR2004
        if not 1 <= number <= max(pages_of_parts(record), 1):
            raise HTTPException(400, "There is no such page of parts.")
        keys = page_of_parts(record, number)
        parts = self._sources.store.parts(keys) if keys else {}
        now = self._sources.clock.now()
        view = record_view(record, parts, number, now, request.query_params.get("said"))
        return self._templates.page("record", view, now)

    async def retry(self, request: Request) -> Response:
        """A failed request is accepted again; what came of it is told on its page."""
        size = 0
        try:
            async with asyncio.timeout(self._sources.settings.body_timeout.total_seconds()):
                async for piece in request.stream():
                    size += len(piece)
                    if size > MAX_FORM:
                        raise HTTPException(413, "The form has no field; this is more.")
        except (TimeoutError, ClientDisconnect) as error:
            raise HTTPException(408, "The form did not come in time.") from error
        return await run_in_threadpool(self._retry, request)

    def _retry(self, request: Request) -> Response:
        record = self._found(request)
        (is_again,) = self._sources.store.reopen([record.id])
        return RedirectResponse(f"/requests/{record.id}?said={'again' if is_again else 'not-failed'}", 303)

    async def asset(self, request: Request) -> Response:
        """A file that the pages need."""
        asset = self._templates.assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        return asset.answer()

    def message(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
        """A page that says why there is none."""
        said = Message(HTTPStatus(status).phrase, text)
        return self._templates.page("message", said, self._sources.clock.now(), status, headers)

    def refused(self, _: Request, error: Exception) -> Response:
        """The answer to what cannot be answered otherwise."""
        if isinstance(error, HTTPException):
            return self.message(error.status_code, error.detail, error.headers)
        return self.message(503, f"The store cannot be reached: {error}", {"retry-after": "1"})

    def _found(self, request: Request) -> Record:
        id_ = request.path_params["id"].lower()
        record = self._sources.store.get([id_]).get(id_) if UUID.fullmatch(id_) else None
        if record is None:
            raise HTTPException(404, "No request has this id. It may have been purged, or never have come here.")
        return record
