"""The public plane behind an HTTP API: the same app as everywhere."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from mangum import Mangum

from acuse.entrypoints.api.app import Api
from acuse.entrypoints.lambdas.service import service
from acuse.entrypoints.api.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from mangum.types import ASGI


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answers one request."""
    return _app()(event, context)


@cache
def _app() -> Mangum:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def make() -> Api:
        made = service()
        return Api(made.store, made.clock, made.catalogue, made.settings, None)

    api = loop.run_until_complete(make())
    api.start()
    return Mangum(cast("ASGI", api), lifespan="off", text_mime_types=["application/json", MEDIA_TYPE.decode()])
