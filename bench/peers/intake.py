"""The smallest HTTP intake over a peer's queue: one POST, a single request or many, acknowledged once it is queued."""

from __future__ import annotations

import json
import logging
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from bench.peers.job import Members

PATH = "/requests"
UNAVAILABLE = 503

log = logging.getLogger(__name__)


def intake(accept: Callable[[Members], int]) -> Starlette:
    """The application. `accept`: the request is queued for good when it returns; the status to answer with."""

    async def post(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-type") == "application/x-ndjson":
            lines = (json.loads(line) for line in body.splitlines())
            answers = (json.dumps(item).encode() + b"\n" for item in _items(accept, lines))
            return StreamingResponse(answers, 207, media_type="application/x-ndjson")
        found = json.loads(body)
        if isinstance(found, list):
            items = await run_in_threadpool(lambda: list(_items(accept, iter(found))))
            return JSONResponse({"items": items}, 207)
        return JSONResponse(None, await run_in_threadpool(_accepted, accept, found))

    return Starlette(routes=[Route(PATH, post, methods=["POST"])])


def serve(accept: Callable[[Members], int], fd: int) -> None:
    """It served that listening socket until it was told to stop."""
    listening = socket.socket(fileno=fd)
    uvicorn.Server(uvicorn.Config(intake(accept), log_level="warning", access_log=False)).run(sockets=[listening])


def _items(accept: Callable[[Members], int], requests: Iterator[Members]) -> Iterator[dict[str, Any]]:
    for index, members in enumerate(requests):
        yield {"index": index, "id": members["id"], "status": _accepted(accept, members)}


def _accepted(accept: Callable[[Members], int], members: Members) -> int:
    """A queue that cannot take it, for instance because SQLite stays locked, is no 2xx."""
    try:
        return accept(members)
    except Exception:
        log.exception("not queued")
        return UNAVAILABLE
