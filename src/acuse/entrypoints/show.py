"""The command that shows one record."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from acuse.bootstrap import Service
from acuse.entrypoints.options import REFUSED, Data, Store, existing, leave


def show(
    id: Annotated[str, typer.Argument(help="The request's id.")],  # noqa: A002
    data: Data = None,
    store: Store = None,
) -> None:
    """Print one record, as the store has it now."""
    record = Service(existing(data, store)).store.get([id.lower()]).get(id.lower())
    if record is None:
        leave(REFUSED, f"no request has the id {id}")
    print(msgspec.json.format(record.to_json()).decode())
    if record.progress is not None:
        left, failed, parts = record.progress.left, record.progress.failed, record.progress.parts
        print(f"{parts - left} of {parts} parts have ended, {failed} of them failed", file=sys.stderr)
