"""The command that queues failed requests again."""

from __future__ import annotations

from typing import Annotated

import typer

from acuse.bootstrap import Service
from acuse.entrypoints.options import REFUSED, Data, Store, existing


def retry(
    ids: Annotated[list[str], typer.Argument(help="Ids of failed requests.")], data: Data = None, store: Store = None
) -> None:
    """Queue failed requests again; of a split one, only the parts that failed."""
    done = Service(existing(data, store)).store.reopen([id_.lower() for id_ in ids])
    for id_, reopened in zip(ids, done, strict=True):
        print(f"{id_} {'accepted again' if reopened else 'is not a failed request'}")
    if not all(done):
        raise typer.Exit(REFUSED)
