"""Who takes the spans, as OpenTelemetry's variables say."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from acuse.domain.errors import Misconfigured
from acuse.domain.finding import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPORTER = "OTEL_TRACES_EXPORTER"
EXPORTERS = ("otlp", "none")
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", PROTOCOL)
OTLP_OVER_HTTP = "http/protobuf"
ENDPOINT = "http://localhost:4318"
PORTS = {"http": 80, "https": 443}
CONNECT_SECONDS = 2.0
HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_HEADER = re.compile(r"""[!#-'*+.^-z|~A-Z0-9-]+[ \t]*=[ !#-+.-:<-[\]-~-]*""")
"""One of them, as the exporter takes it. What it does not take it would log, and that may be a key."""
_CREDENTIALS = re.compile(r"[^/]*@")


def receiver_of(environment: Mapping[str, str]) -> str | None:
    """Where spans are sent; None: nowhere. Raises Misconfigured where that cannot be done as the variables say."""
    exporter = environment.get(EXPORTER) or EXPORTERS[0]
    if exporter not in EXPORTERS:
        raise Misconfigured(f"{EXPORTER} is {exporter}; spans are sent by {' or '.join(EXPORTERS)}")
    protocol = next(filter(None, map(environment.get, PROTOCOLS)), OTLP_OVER_HTTP)
    if protocol != OTLP_OVER_HTTP:
        raise Misconfigured(f"{PROTOCOL} is {protocol}; spans are sent by {OTLP_OVER_HTTP}")
    if exporter == "none":
        return None
    of_all = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") or ENDPOINT
    url = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or f"{of_all.removesuffix('/')}/v1/traces"
    _place(url)
    for name in HEADERS:
        if not all(map(_is_header, environment.get(name, "").split(","))):
            raise Misconfigured(f"{name} is no list of name=value, with values as in a URL; spans cannot be sent so")
    return url


def examine_receiver(environment: Mapping[str, str]) -> Finding:
    """Whether somebody is there to take spans. Nothing is sent."""
    try:
        url = receiver_of(environment)
    except Misconfigured as error:
        return Finding(Level.FAILURE, "traces", str(error))
    if url is None:
        return Finding(Level.OK, "traces", f"none is sent: {EXPORTER} says so")
    try:
        socket.create_connection(_place(url), CONNECT_SECONDS).close()
    except OSError as error:
        return Finding(Level.WARNING, "traces", f"they are lost until somebody takes them at {_shown(url)}: {error}")
    return Finding(Level.OK, "traces", f"somebody listens at {_shown(url)}")


def _is_header(text: str) -> bool:
    return not text.strip() or (_HEADER.fullmatch(text.strip()) is not None and unquote(text).isprintable())


def _shown(url: str) -> str:
    """Without the name and the password that may be in it."""
    return _CREDENTIALS.sub("", url, count=1)


def _place(url: str) -> tuple[str, int]:
    """The host and the port."""
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.scheme in PORTS:
            return parts.hostname, parts.port or PORTS[parts.scheme]
    except ValueError as error:
        raise Misconfigured(f"spans cannot be sent to {_shown(url)}: {error}") from error
    raise Misconfigured(f"spans cannot be sent to {_shown(url)}: an address as {ENDPOINT} is wanted")
