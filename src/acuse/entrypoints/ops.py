"""The ops plane: whether the service is alive, whether it can do its work, and what the public plane takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    Ages = Callable[[], Mapping[str, float]]

STALE_SECONDS = 5.0


def ops_app(ages: Ages, described: Callable[[], str]) -> Starlette:
    """The ASGI app. `ages`: seconds since the intake last committed and each worker last reached its queue.

    `described`: the OpenAPI document; called for each request, in a thread.
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
        routes=[Route("/health/live", live), Route("/health/ready", ready), Route("/openapi.json", openapi)]
    )
