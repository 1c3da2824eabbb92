"""The fields of a Struct with what their types say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator


class Field(NamedTuple):
    """`kind` is what a value is made from text by: float, int, bool or the enumeration."""

    name: str
    value: str
    text: str


def described(values: msgspec.Struct) -> Iterator[Field]:
    """Each field with its value and its description."""
    kind = inspect.type_info(type(values))
    assert isinstance(kind, inspect.StructType)  # noqa: S101  (it is what a Struct's type is)
    for field in kind.fields:
        value = getattr(values, field.name)
        shown = f"{value:,g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)
        yield Field(field.name, shown, description(field.type))


def description(kind: inspect.Type) -> str:
    """What its Meta says; Metas may be nested."""
    while isinstance(kind, inspect.Metadata):
        if kind.extra_json_schema and "description" in kind.extra_json_schema:
            return str(kind.extra_json_schema["description"])
        kind = kind.type
    return ""
