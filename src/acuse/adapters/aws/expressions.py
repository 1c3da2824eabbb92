"""Statements and expressions of DynamoDB, and what their placeholders stand for."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acuse.adapters.aws.items import Attribute


@lru_cache(maxsize=256)
def insert(table: str, names: tuple[str, ...]) -> str:
    """The statement that adds an item with these attributes, if its key is new. Names must be plain."""
    members = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{members}}}'


def expressed(values: Mapping[str, Attribute], *expressions: str) -> tuple[list[str], dict[str, Any]]:
    """The expressions, which name attributes as `#name` and values as `:name`, and what the placeholders stand for."""
    # Whether a placeholder may begin with an underscore, AWS leaves open.
    texts = [one.replace("#_", "#own_") for one in expressions]
    words = " ".join(texts).replace(",", " ").replace("(", " ").replace(")", " ").split()
    placeholders = {
        "ExpressionAttributeNames": {word: _attribute_name(word) for word in words if word[0] == "#"},
        "ExpressionAttributeValues": {word: values[word[1:]] for word in words if word[0] == ":"},
    }
    return texts, placeholders


def _attribute_name(placeholder: str) -> str:
    name = placeholder[1:]
    return f"_{name.removeprefix('own_')}" if name.startswith("own_") else name
