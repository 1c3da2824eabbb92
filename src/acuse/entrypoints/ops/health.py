"""Whether the service can do its work: not only that it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    Ages = Callable[[], Mapping[str, float]]

STALE_SECONDS = 5.0
STORE = "store"


class Health:
    """Every part of the service has shown a moment ago that it works, and none is about to end."""

    def __init__(
        self,
        ages: Ages,
        *,
        answers: Callable[[], Awaitable[bool]] | None = None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        """`ages`: seconds since the intake committed, and each worker reached its queue, or held what it had renewed.

        `answers`: whether the store does, where nobody else looks at it; `is_draining`: whether the service is ending.
        """
        self._ages = ages
        self._answers = answers
        self._is_draining = is_draining

    async def checks(self) -> dict[str, bool]:
        """Which part works."""
        checks = {name: age < STALE_SECONDS for name, age in self._ages().items()}
        return checks if self._answers is None else {**checks, STORE: await self._answers()}

    def silent(self) -> dict[str, float]:
        """The parts that do not show themselves, and for how many seconds."""
        return {name: age for name, age in self._ages().items() if age >= STALE_SECONDS}

    async def ready(self, _: Request) -> JSONResponse:
        """Whether work may be sent here."""
        checks = await self.checks()
        if self._is_draining():
            return JSONResponse({"status": "draining", "checks": checks}, 503)
        if not all(checks.values()):
            return JSONResponse({"status": "not ready", "checks": checks}, 503)
        return JSONResponse({"status": "ready", "checks": checks})
