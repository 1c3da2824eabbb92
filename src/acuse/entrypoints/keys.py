"""The commands that make, list and revoke the keys of the clients."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from acuse.bootstrap import DATABASE, Service
from acuse.config import Settings
from acuse.domain.api_key import SECRET_BYTES, is_name, new_key
from acuse.domain.errors import Misconfigured
from acuse.domain.record import rfc3339

REFUSED = 1

app = typer.Typer(name="keys", help="The keys that clients are asked for, once there is one.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Whose key it is: up to 40 of a-z, 0-9 and -.")]
Data = Annotated[Path | None, typer.Option(help="Folder that holds the database.")]
Store = Annotated[str | None, typer.Option(help="Where records are kept: sqlite, or dynamodb://TABLE.")]


@app.command()
def new(name: Name, data: Data = None, store: Store = None) -> None:
    """Make a key and print it, once. As soon as there is one, every request needs one."""
    if not is_name(name):
        raise Misconfigured("the name of a key is 1 to 40 of a-z, 0-9 and -")
    service = Service(_settings(data, store))
    key, text = new_key(name, secrets.token_bytes(SECRET_BYTES), service.clock.now())
    if not service.keyring.put(key):
        _refuse(f"there is or was a key with the name {name}")
    print(text, flush=True)
    print("It is not shown again: only its hash is kept.", file=sys.stderr)


@app.command("list")
def list_(data: Data = None, store: Store = None) -> None:
    """Print the name of every key, when it was made, and when it was revoked."""
    keys = Service(_existing(data, store)).keyring.keys()
    for key in keys:
        revoked = "" if key.revoked_at is None else f" revoked {rfc3339(key.revoked_at)}"
        print(f"{key.name} created {rfc3339(key.created_at)}{revoked}")


@app.command()
def revoke(name: Name, data: Data = None, store: Store = None) -> None:
    """Make a key useless, for good; its name stays taken."""
    service = Service(_existing(data, store))
    if not service.keyring.revoke(name, service.clock.now()):
        _refuse(f"no key that could be revoked has the name {name}")
    print(f"{name} is revoked")


def _settings(data: Path | None, store: str | None) -> Settings:
    return Settings.from_environment(os.environ, data=data, store=store)


def _existing(data: Path | None, store: str | None) -> Settings:
    settings = _settings(data, store)
    if not settings.table and not (settings.data / DATABASE).is_file():
        raise Misconfigured(f"there is no database in {settings.data}")
    return settings


def _refuse(message: str) -> NoReturn:
    print(f"acuse: {message}", file=sys.stderr)
    raise typer.Exit(REFUSED)
