"""What the peers run: the same as `tests/torture/actions.py`, as plain functions. Nothing of acuse is imported here."""

from __future__ import annotations

import os
import time
from typing import Any

Members = dict[str, Any]

BOOK = "TORTURE_BOOK"
"""The environment variable that names the file to which every run adds a line."""


def perform(members: Members) -> dict[str, Any]:
    """The outcome: its status, and its result. That it was run is written down first."""
    _note(members["id"])
    match members["action"]:
        case "tally":
            time.sleep(members["seconds"])
            return {"status": "finished", "result": {"number": 3 * members["number"]}}
        case "sum-up":
            parts = list(range(1, members["upto"] + 1))
            return {"status": "finished", "result": {"parts": len(parts), "sum": sum(parts)}}
        case _:
            return {"status": "failed", "result": None}


def _note(id_: str) -> None:
    """One line in one write, so that those of several processes do not mix."""
    if path := os.environ.get(BOOK):
        book = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(book, f"{id_} 0\n".encode())
        os.close(book)
