"""What is served, told in OpenAPI 3.1: made from the actions, the problems and the settings."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING, Any

from acuse.domain.record import MAX_TOGETHER
from acuse.domain.submission import MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT, MIN_EXPONENT
from acuse.entrypoints.api import examples, problems
from acuse.entrypoints.api.answers import JSON, NDJSON
from acuse.entrypoints.api.problems import PROBLEMS
from acuse.entrypoints.api.schemas import one_of, reference, schemas
from acuse.entrypoints.api.target import PATH

if TYPE_CHECKING:
    from acuse.application.actions import Catalogue
    from acuse.config import Settings

KEY = "key"
ELSEWHERE = {problems.NOT_FOUND: "NotFound", problems.METHOD_NOT_ALLOWED: "MethodNotAllowed"}
"""Problems that no POST to the path is answered with."""

HEADERS: dict[str, dict[str, Any]] = {
    "Accept": {
        "description": "The media types that are taken, where that is what is wrong.",
        "schema": {"type": "string"},
    },
    "Accept-Encoding": {
        "description": "The content codings that are taken, where that is what is wrong.",
        "schema": {"type": "string"},
    },
    "Allow": {"description": "The one method that is served.", "required": True, "schema": {"const": "POST"}},
    "Preference-Applied": {
        "description": "Which of the preferences were honoured (RFC 7240).",
        "schema": {"type": "string"},
        "example": "wait=5, return=minimal",
    },
    "RateLimit": {
        "description": "Where there is a rate: what is left of it, and in how many seconds there is more.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "Where there is a rate: how many requests, in how many seconds.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which it is worth trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {
        "description": "That a key is asked for, as a bearer token (RFC 6750).",
        "required": True,
        "schema": {"type": "string", "pattern": "^Bearer"},
    },
}
RATE = ("RateLimit", "RateLimit-Policy")
HEADERS_OF: dict[int, tuple[str, ...]] = {
    200: ("Preference-Applied",),
    201: ("Preference-Applied",),
    207: ("Preference-Applied",),
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept", "Accept-Encoding"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
UNMEASURED = (401, 404, 405)
"""What is answered before it is known whose rate it would count to."""

ABOUT = f"""A durable intake for mass data processing. A 2xx means that the request is on disk; it will be processed, \
and its record will say how it ended. To read the record, send the request again.

Nothing but `POST {PATH}` is served: another method is answered with 405, another path with 404. What is not HTTP \
(400), a head that is too slow (408) or too large (431) is answered without a body, since there is no request yet.

JSON is strict (RFC 8259, I-JSON), beyond what a schema can say: no duplicate names, no lone surrogates, no NUL in \
names, at most {MAX_DEPTH} levels deep, numbers of at most {MAX_DIGITS} significant digits with magnitudes from \
1e{MIN_EXPONENT} to below 1e{MAX_EXPONENT + 1}."""

PREFER = """What the client would like (RFC 7240); the rest is ignored. `wait=N`: the answer to a single request comes \
when it has ended, or after N seconds. `return=minimal`: of each record only the id and the stamps. `handling=strict`: \
of several requests all are taken or none."""


def document(catalogue: Catalogue, settings: Settings) -> dict[str, Any]:
    """The whole document; of the same actions and settings always the same."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "acuse",
            "version": metadata.version("acuse"),
            "summary": "Requests for mass data processing, stored before they are answered.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": _servers(settings),
        "security": [{KEY: []}],
        "paths": {PATH: {"post": _submit(catalogue, settings)}},
        "components": {
            "schemas": schemas(catalogue),
            "headers": HEADERS,
            "responses": {
                name: _response(problem.status, "Not served.", _problem(problem.status))
                for problem, name in ELSEWHERE.items()
            },
            "securitySchemes": {
                KEY: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "acuse_NAME_SECRET",
                    "description": "Asked for as soon as the service has had its first key.",
                }
            },
        },
    }


def text(catalogue: Catalogue, settings: Settings) -> str:
    """The same as indented JSON."""
    return json.dumps(document(catalogue, settings), indent=2, ensure_ascii=False) + "\n"


def _servers(settings: Settings) -> list[dict[str, Any]]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    variables = {"host": {"default": host}, "port": {"default": str(settings.port)}}
    return [{"url": "http://{host}:{port}", "description": "The public plane.", "variables": variables}]


def _submit(catalogue: Catalogue, settings: Settings) -> dict[str, Any]:
    parameters: dict[str, tuple[str, dict[str, Any]]] = {
        "Prefer": (PREFER, {"type": "string", "examples": ["wait=5", "return=minimal", "handling=strict"]}),
        "Content-Encoding": ("How the body is coded.", {"type": "string", "enum": ["gzip", "identity"]}),
        "traceparent": (
            "Trace context (W3C), kept with the request and handed to its run; ignored if it is invalid.",
            {"type": "string", "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]},
        ),
    }
    return {
        "operationId": "submit",
        "summary": "Store a request, or many, to be processed",
        "description": "The id is the key, for good: the same request is never stored or started twice.",
        "parameters": [
            {"name": name, "in": "header", "description": text, "schema": schema}
            for name, (text, schema) in parameters.items()
        ],
        "requestBody": {"required": True, "content": _bodies(catalogue, settings)},
        "responses": {str(status): answer for status, answer in sorted(_responses().items())},
    }


def _bodies(catalogue: Catalogue, settings: Settings) -> dict[str, Any]:
    requests = examples.requests(catalogue)
    several = list(requests.values())
    array = {
        "description": f"Each is judged by itself; together at most {settings.max_array} bytes, or 413."
        f" With `Prefer: handling=strict` at most {MAX_TOGETHER} of them.",
        "type": "array",
        "items": reference("BulkRequest"),
        "maxItems": settings.max_items,
    }
    lines = {
        "description": f"One request a line, of at most {settings.max_body} bytes; empty lines are passed over."
        " Read and answered as a stream, however long it is.",
        "type": "string",
    }
    return {
        JSON.decode(): {
            "schema": {
                "description": f"One request, of at most {settings.max_body} bytes; or an array of them.",
                "anyOf": [reference("Request"), array],
            },
            "examples": {name: {"value": one} for name, one in requests.items()} | {"several": {"value": several}},
        },
        NDJSON.decode(): {
            "schema": lines,
            "examples": {"several": {"value": examples.lines(several)}},
            "x-item-schema": reference("BulkRequest"),
        },
    }


def _responses() -> dict[int, dict[str, Any]]:
    single = {"schema": reference("Receipt")}
    created = {JSON.decode(): single | {"example": examples.created()}}
    known = {JSON.decode(): single | {"example": examples.finished()}}
    bulk = {
        JSON.decode(): {"schema": reference("BulkAnswer"), "example": examples.bulk()},
        NDJSON.decode(): {
            "schema": {
                "description": "One line an item, in the order of the requests, then the totals.",
                "type": "string",
            },
            "example": examples.bulk_lines(),
            "x-item-schema": {"anyOf": [reference("Item"), reference("LastLine")]},
        },
    }
    answers = {
        201: _response(201, "New, and on disk.", created),
        200: _response(200, "The same request came before; its record as it is now.", known),
        207: _response(207, "Of several requests: what came of each. In the media type of the requests.", bulk),
    }
    for status in {problem.status for problem in PROBLEMS if problem not in ELSEWHERE}:
        titles = " ".join(f"{problem.title}." for problem in PROBLEMS if problem.status == status)
        answers[status] = _response(status, titles, _problem(status))
    return answers


def _problem(status: int) -> dict[str, Any]:
    found = [problem for problem in PROBLEMS if problem.status == status]
    shown = {problem.slug: {"value": examples.problem(problem)} for problem in found}
    return {problems.MEDIA_TYPE.decode(): {"schema": one_of(found), "examples": shown}}


def _response(status: int, text: str, content: dict[str, Any]) -> dict[str, Any]:
    names = (*HEADERS_OF.get(status, ()), *(() if status in UNMEASURED else RATE))
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": text, **({"headers": headers} if headers else {}), "content": content}
