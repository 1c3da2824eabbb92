"""The ops plane: whether the service is alive, whether it can do its work, what it does, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from acuse.domain.errors import AcuseError
from acuse.entrypoints.ops.guard import Guard
from acuse.entrypoints.ops.pages import Pages
from acuse.entrypoints.ops.templating import Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from acuse.entrypoints.ops.health import Health
    from acuse.entrypoints.ops.sources import Sources


def ops_app(
    sources: Sources, health: Health, described: Callable[[], str], *, routes: Sequence[BaseRoute] = ()
) -> ASGIApp:
    """The ASGI app.

    `described`: the OpenAPI document; called for each request, in a thread. `routes`: what else is served.
    """

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    def openapi(_: Request) -> Response:
        return Response(described(), media_type="application/json")

    pages = Pages(sources, Templates(), health.silent)
    app = Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", health.ready),
            Route("/openapi.json", openapi),
            *routes,
            *pages.routes(),
        ],
        exception_handlers={HTTPException: pages.refused, AcuseError: pages.refused},
    )
    app.router.redirect_slashes = False  # It would name the scheme, which a proxy in front may have changed.
    return Guard(app, lambda: sources.keyring, sources.settings, pages.message)
