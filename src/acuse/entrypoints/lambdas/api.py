"""The public plane behind an HTTP API: the same app as everywhere."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from mangum import Mangum

from acuse.entrypoints.api.answers import JSON, NDJSON
from acuse.entrypoints.api.app import Api
from acuse.entrypoints.api.problems import MEDIA_TYPE
from acuse.entrypoints.lambdas.service import service

if TYPE_CHECKING:
    from mangum.types import ASGI

    from acuse.config import Settings

MAX_ARRAY = 1_048_576
MAX_ITEMS = 4_000
"""A function is given up to 6 MB, and may answer as much (Lambda quotas); many items have long answers."""
ANYWHERE = "0.0.0.0"  # noqa: S104  (nothing listens; it says that a key is wanted unless something in front asks)
MAX_WAIT = timedelta(seconds=20)
"""An HTTP API waits 30 seconds for a function (API Gateway quotas, "Integration timeout")."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answers one request."""
    return _app()(event, context)


@cache
def _app() -> Mangum:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def make() -> Api:
        made = service()
        settings = within_lambda(made.settings)
        return Api(made.store, made.keyring, made.clock, made.catalogue, settings, None, streams=False)

    api = loop.run_until_complete(make())
    api.start()
    return Mangum(
        cast("ASGI", api), lifespan="off", text_mime_types=[one.decode() for one in (JSON, NDJSON, MEDIA_TYPE)]
    )


def within_lambda(settings: Settings) -> Settings:
    """The settings, bounded by what a function may take, answer and wait for."""
    return msgspec.structs.replace(
        settings,
        max_array=min(settings.max_array, MAX_ARRAY),
        max_items=min(settings.max_items, MAX_ITEMS),
        max_wait=min(settings.max_wait, MAX_WAIT),
        host=ANYWHERE,
    )
