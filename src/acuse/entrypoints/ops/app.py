"""The ops plane: whether the service is alive, whether it can do its work, and what the public plane takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from acuse.application.actions import Catalogue
    from acuse.config import Settings
    from acuse.ports import Clock, Keyring, Overview, Store

    Ages = Callable[[], Mapping[str, float]]

STALE_SECONDS = 5.0


class Sources(Protocol):
    """What the page shows comes from here, as from bootstrap's Service. To ask for a part may open it, or raise."""

    @property
    def settings(self) -> Settings:
        """Names, keys and bounds."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def catalogue(self) -> Catalogue:
        """The actions that can be chosen."""

    @property
    def store(self) -> Store:
        """The records."""

    @property
    def overview(self) -> Overview:
        """The read side."""

    @property
    def keyring(self) -> Keyring:
        """The keys."""


def ops_app(
    sources: Sources, ages: Ages, described: Callable[[], str], *, routes: Sequence[BaseRoute] = ()
) -> Starlette:
    """The ASGI app. `ages`: seconds since the intake last committed and each worker last reached its queue.

    `described`: the OpenAPI document; called for each request, in a thread. `routes`: what else is served, to anyone.
    """

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> JSONResponse:
        checks = {name: age < STALE_SECONDS for name, age in ages().items()}
        status = "ready" if all(checks.values()) else "not ready"
        return JSONResponse({"status": status, "checks": checks}, 200 if status == "ready" else 503)

    def openapi(_: Request) -> Response:
        return Response(described(), media_type="application/json")

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/openapi.json", openapi),
            *routes,
        ]
    )
