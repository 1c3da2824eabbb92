"""The service as the functions see it."""

from __future__ import annotations

import logging
import os
from functools import cache

import msgspec

from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.entrypoints.logs import configure_logging

LOG_FORMAT = "AWS_LAMBDA_LOG_FORMAT"
SERVICE_NAME = "POWERTOOLS_SERVICE_NAME"


@cache
def service() -> Service:
    """One for this process, with the settings of its environment."""
    # A function is frozen between its calls: it would send spans when it thaws, or never. It hands traces on.
    settings = msgspec.structs.replace(Settings.from_environment(os.environ), tracing=False)
    root = logging.getLogger()
    of_lambda = list(root.handlers)
    configure_logging(settings)
    if os.environ.get(LOG_FORMAT) == "JSON":
        # Lambda's own handler writes one event a record, with the call's id, what `extra` adds and the whole trace.
        root.handlers[:] = of_lambda
    return Service(settings)


def service_name() -> str:
    """What tells this service from others in the metrics: the name that it was given for that, or its table's."""
    return os.environ.get(SERVICE_NAME) or service().settings.table
