"""Whether what others can reach has a key to ask for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from acuse.domain.errors import Misconfigured

if TYPE_CHECKING:
    from acuse.bootstrap import Service
    from acuse.config import Settings

log = logging.getLogger(__name__)

NO_KEY = (
    "{} can be reached by anyone, and there is no key to ask for: make one (acuse keys new NAME), use a loopback"
    " address, or set ACUSE_ALLOW_ANYONE=true if something in front asks"
)


def exposed(settings: Settings, *hosts: str) -> list[str]:
    """Those addresses that others may reach."""
    return [host for host in hosts if settings.exposes(host)]


def check_exposure(service: Service, *hosts: str) -> None:
    """There is a key, or others can reach none of these addresses. Raises Misconfigured.

    Over DynamoDB it is only a warning: a container is deployed before there is a key, and may start again after the
    last one is gone. Until there is one, nobody is let in.
    """
    reached = exposed(service.settings, *hosts)
    if not reached or service.keyring.keys():
        return
    problem = NO_KEY.format(reached[0])
    if not service.settings.table:
        raise Misconfigured(problem)
    log.warning("nobody is let in until there is a key", extra={"problem": problem})
