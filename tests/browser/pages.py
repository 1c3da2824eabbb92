"""The ops plane over a store that a test has filled, without the rest of the service."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from acuse.entrypoints.ops.app import ops_app
from acuse.entrypoints.ops.health import Health
from tests.integration.server import hosted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from acuse.bootstrap import Service


@contextmanager
def pages(service: Service, silent: float = 0.0) -> Iterator[str]:
    """The address of the pages. `silent`: for how many seconds its one worker has not shown itself."""
    ages = {"intake": 0.0, "worker-1": silent}
    with hosted(lambda: ops_app(service, Health(lambda: ages), lambda: "{}"), service.settings) as ((host, port), _):
        yield f"http://{host}:{port}"
