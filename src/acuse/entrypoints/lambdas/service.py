"""The service as the functions see it."""

from __future__ import annotations

import os
from functools import cache

from acuse.bootstrap import Service, configure_logging
from acuse.config import Settings


@cache
def service() -> Service:
    """One for this process, with the settings of its environment."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)
    return Service(settings)
