"""The JSON Schemas of what comes in and what goes out, taken from the types that the code itself uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from acuse.domain.record import STAMPS, Failure, Status
from acuse.domain.submission import UUID
from acuse.entrypoints.api import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from acuse.application.actions import ActionType, Catalogue
    from acuse.entrypoints.api.problems import Problem

PLACE = "#/components/schemas/"
OWN = "actions."
"""Before the names of the types of actions, so that none of them meets a name of ours."""

ID = {
    "description": "A UUID (RFC 9562) of any version, in any case; neither the nil nor the max.",
    "type": "string",
    "format": "uuid",
    "pattern": f"^{UUID.pattern}$",
}
STORED_ID = {"description": "The id, in lower case.", "type": "string", "format": "uuid"}
INDEX = {"description": "Its place among the requests; the first is 0.", "type": "integer", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}
TIME = {"type": "string", "format": "date-time"}
TOTALS = {
    "items": "All of them.",
    "accepted": "New (201).",
    "replayed": "The same as one that came before (200).",
    "refused": "Cannot be taken (4xx).",
    "unavailable": "Could not be taken now (5xx): send them again.",
}


def schemas(catalogue: Catalogue) -> dict[str, Any]:
    """Every schema by its name, in a fixed order."""
    references, of_actions = msgspec.json.schema_components(
        [found.cls for found in catalogue.values()], schema_hook=lambda _: {}, ref_template=PLACE + OWN + "{name}"
    )
    of_actions = {OWN + name: schema for name, schema in of_actions.items()}
    mapping = {found.tag: reference["$ref"] for found, reference in zip(catalogue.values(), references, strict=True)}
    for found in catalogue.values():
        name = mapping[found.tag].removeprefix(PLACE)
        of_actions[name] = _request_for(found, of_actions[name])
    _, shared = msgspec.json.schema_components([problems.Document, Failure], ref_template=PLACE + "{name}")
    document = shared.pop("Document")
    return {
        "Request": {
            "description": "One request: its id, its action, and what the action takes.",
            "oneOf": references,
            "discriminator": {"propertyName": "action", "mapping": mapping},
        },
        "Name": {
            "description": "The name of a member; those that the service gives itself are refused.",
            "type": "string",
            "pattern": "^(?!_)[^\\u0000]*$",
            "not": {"enum": sorted(STAMPS)},
        },
        **of_actions,
        **_records(),
        **_bulk(),
        **shared,
        "Problem": one_of(problems.PROBLEMS),
        **{name_of(problem): _problem(problem, document) for problem in problems.PROBLEMS},
    }


def reference(name: str) -> dict[str, str]:
    """Where that schema is."""
    return {"$ref": PLACE + name}


def name_of(problem: Problem) -> str:
    """The name of its schema."""
    return "".join(word.capitalize() for word in problem.slug.split("-")) + "Problem"


def one_of(found: Iterable[Problem]) -> dict[str, Any]:
    """Whichever of these problems it is, told apart by `type`."""
    references = {problem.type: reference(name_of(problem)) for problem in found}
    return {
        "description": "A problem document (RFC 9457). Programs should look at `type`.",
        "oneOf": list(references.values()),
        "discriminator": {
            "propertyName": "type",
            "mapping": {type_: place["$ref"] for type_, place in references.items()},
        },
    }


def _request_for(found: ActionType, schema: dict[str, Any]) -> dict[str, Any]:
    fields = {name: field for name, field in schema["properties"].items() if name not in ("id", "action")}
    own_id = schema["properties"].get("id")
    return {
        **schema,
        "properties": {
            "id": {"allOf": [ID, own_id]} if own_id else ID,
            "action": {"type": "string", "const": found.tag},
            **fields,
        },
        "required": ["id", "action", *(name for name in schema["required"] if name in fields)],
        "propertyNames": reference("Name"),
    }


def _records() -> dict[str, Any]:
    stamps: dict[str, Any] = {
        "status": {"description": "Where it stands.", "type": "string", "enum": list(Status)},
        "created_at": {"description": "When it was stored.", **TIME},
        "finished_at": {"description": "When it ended; null until then.", **TIME, "type": ["string", "null"]},
        "attempts": {"description": "Starts of the step under way: the run, the split or the merge.", **COUNT},
        "result": {"description": "What the action returned; null until then."},
        "error": {"description": "Why it failed.", "anyOf": [reference("Failure"), {"type": "null"}]},
    }
    return {
        "Receipt": {"oneOf": [reference("Record"), reference("MinimalRecord")]},
        "Record": {
            "description": "The received object, member for member, and the stamps of the service.",
            "type": "object",
            "properties": {"id": STORED_ID, "action": {"type": "string"}, **stamps},
            "required": ["id", "action", *stamps],
        },
        "MinimalRecord": {
            "description": "The answer to `Prefer: return=minimal`: the id and the stamps.",
            "type": "object",
            "properties": {"id": STORED_ID, **stamps},
            "required": ["id", *stamps],
            "additionalProperties": False,
        },
    }


def _bulk() -> dict[str, Any]:
    return {
        "BulkRequest": {
            "description": "A request. What is not one is answered in its item, and keeps no other from being taken.",
            "anyOf": [reference("Request"), True],
        },
        "BulkAnswer": _closed(items={"type": "array", "items": reference("Item")}, totals=reference("Totals")),
        "Item": {"oneOf": [reference("TakenItem"), reference("RefusedItem")]},
        "TakenItem": _closed(
            index=INDEX, id=STORED_ID, status={"type": "integer", "enum": [200, 201]}, record=reference("Receipt")
        ),
        "RefusedItem": _closed(
            index=INDEX,
            id={"description": "As it came; null if none can be read.", "type": ["string", "null"]},
            status={"type": "integer", "minimum": 400, "maximum": 599},
            problem=reference("Problem"),
        ),
        "Totals": _closed(**{name: {"description": meaning, **COUNT} for name, meaning in TOTALS.items()}),
        "LastLine": {
            "description": "After all items. `problem`: why the body could not be read to its end.",
            "type": "object",
            "properties": {"totals": reference("Totals"), "problem": reference("Problem")},
            "required": ["totals"],
            "additionalProperties": False,
        },
    }


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _problem(problem: Problem, document: dict[str, Any]) -> dict[str, Any]:
    properties = {
        **document["properties"],
        "type": {"type": "string", "const": problem.type},
        "title": {"type": "string", "const": problem.title},
        "status": {"type": "integer", "const": problem.status},
        "instance": {"description": "The request that is meant, as a URN.", "type": "string", "format": "uri"},
        "errors": {"description": "Every complaint, and where.", "type": "array", "items": reference("FieldError")},
    }
    return {
        "description": f"{problem.title}.",
        "type": "object",
        "properties": properties,
        "required": document["required"],
        "additionalProperties": False,
    }
