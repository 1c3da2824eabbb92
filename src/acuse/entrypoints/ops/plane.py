"""The ops plane, served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.bootstrap import load_catalogue
from acuse.entrypoints.api.openapi import text
from acuse.entrypoints.ops.app import ops_app
from acuse.entrypoints.ops.metrics import Metrics
from acuse.entrypoints.server import serve

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from acuse.bootstrap import Service
    from acuse.entrypoints.ops.backlogs import Backlogs
    from acuse.entrypoints.ops.health import Health


async def serve_ops(
    service: Service, listening: socket.socket, backlogs: Backlogs, health: Health, counted: Mapping[str, int]
) -> None:
    """Serves the ops plane until SIGTERM."""
    settings = service.settings
    app = ops_app(
        service,
        health,
        lambda: text(load_catalogue(settings.actions), settings),
        routes=[Metrics(counted, backlogs, health).route()],
    )
    await serve(app, listening, settings)
