"""Who may look, and from where: against other sites that the same browser has open, and against those without a key."""

from __future__ import annotations

import asyncio
import ipaddress
from base64 import b64decode
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from acuse.domain.api_key import matching
from acuse.domain.errors import AcuseError
from acuse.entrypoints.known_keys import KnownKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from acuse.config import Settings
    from acuse.ports import Keyring

    Refuse = Callable[[int, str, Mapping[str, str]], Response]

HEALTH = ("/health/live", "/health/ready")
"""Answered to anyone."""
METRICS = "/metrics"
"""For machines, too, by whatever name they reach it."""
WITHOUT_KEY = (METRICS, "/openapi.json")
"""Asked for no key where only this machine can ask."""
PATIENCE_SECONDS = 3.0
"""Of who asks, while the keys are read; after that, those that were known count."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL = "localhost"
CHALLENGE = {"www-authenticate": 'Basic realm="acuse", charset="UTF-8"'}
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # With `no-referrer` browsers would send `Origin: null` with a form of ours.
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """The app behind it hears only of what passes, and every answer says what a browser may do with it."""

    def __init__(self, app: ASGIApp, keyring: Callable[[], Keyring], settings: Settings, refuse: Refuse) -> None:
        """`refuse` makes an answer of a status, the reason, and header fields."""
        self._app = app
        self._known = KnownKeys(keyring, settings.keys_refresh)
        self._names = {name.lower() for name in (LOCAL, settings.ops_host, *settings.ops_names)}
        self._is_exposed = settings.exposes(settings.ops_host)
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in {"cache-control": "no-store", **HEADERS}.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        answer = await self._refused(scope) or self._app
        await answer(scope, receive, send_with_headers)

    async def _refused(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if path in HEALTH:
            return None
        if path != METRICS and not self._is_ours(headers):
            return self._refuse(421, "Nothing is served by this name. ACUSE_OPS_NAMES says which ones are known.", {})
        if path in WITHOUT_KEY and not self._is_exposed:
            return None
        if scope["method"] not in SAFE and not _is_same_origin(headers):
            return self._refuse(403, "This can only be asked for from the page itself.", {})
        return await self._without_key(headers)

    async def _without_key(self, headers: Headers) -> Response | None:
        try:
            if self._known.is_stale:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._known.refresh()
        except (AcuseError, TimeoutError):
            if self._known.keys is None:
                return self._refuse(503, "The store cannot be reached, so it is not known who may look.", {})
        if (self._known.keys or self._is_exposed) and not self._shows_key(headers):
            return self._refuse(401, "A key is asked for: any name, and the key as the password.", CHALLENGE)
        return None

    def _is_ours(self, headers: Headers) -> bool:
        """Whether the page was asked for by a name that leads here on purpose. An address cannot be rebound."""
        host = _without_port(headers.get("host", ""))
        return host in self._names or _is_address(host)

    def _shows_key(self, headers: Headers) -> bool:
        fields = headers.getlist("authorization")
        scheme, _, encoded = fields[0].partition(" ") if len(fields) == 1 else ("", "", "")
        if scheme.lower() != "basic":
            return False
        try:
            _, _, password = b64decode(encoded.strip(" "), validate=True).decode().partition(":")
        except ValueError:
            return False
        return matching(password, self._known.keys or ()) is not None


def _is_same_origin(headers: Headers) -> bool:
    """Whether the browser says that a page of ours asks; each of the two that is there must say so."""
    origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
    if not origins and not sites:
        return False
    own = headers["host"].lower()
    return all(origin.lower().partition("://")[2] == own for origin in origins) and set(sites) <= {"same-origin"}


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
