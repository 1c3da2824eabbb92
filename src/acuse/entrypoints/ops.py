"""The ops plane: whether the service is alive, and whether it can do its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    Ages = Callable[[], Mapping[str, float]]

STALE_SECONDS = 5.0


def ops_app(ages: Ages) -> Starlette:
    """The ASGI app. `ages`: seconds since the intake last committed and each worker last reached its queue."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(_: Request) -> JSONResponse:
        checks = {name: age < STALE_SECONDS for name, age in ages().items()}
        status = "ready" if all(checks.values()) else "not ready"
        return JSONResponse({"status": status, "checks": checks}, 200 if status == "ready" else 503)

    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready)])
