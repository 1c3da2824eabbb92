"""The commands that make, list and revoke the keys of the clients."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from acuse.bootstrap import Service
from acuse.domain.api_key import SECRET_BYTES, is_name, new_key
from acuse.domain.errors import Misconfigured
from acuse.domain.record import rfc3339
from acuse.entrypoints.options import REFUSED, Data, Store, leave, service_over, settings_with

app = typer.Typer(name="keys", help="The keys that clients are asked for, once there is one.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is: up to 40 of a-z, 0-9 and -.")]


@app.command()
def new(name: Name, data: Data = None, store: Store = None) -> None:
    """Make a key and print it, once. As soon as there is one, every request needs one."""
    if not is_name(name):
        raise Misconfigured("the name of a key is 1 to 40 of a-z, 0-9 and -")
    service = Service(settings_with(data=data, store=store))
    service.inspect_log()
    key, text = new_key(name, secrets.token_bytes(SECRET_BYTES), service.clock.now())
    if not service.keyring.put(key):
        leave(REFUSED, f"there is or was a key with the name {name}")
    print(text, flush=True)
    print("It is not shown again: only its hash is kept.", file=sys.stderr)


@app.command("list")
def list_(data: Data = None, store: Store = None) -> None:
    """Print every key: its name, when it was made and revoked."""
    keys = service_over(data, store).keyring.keys()
    for key in keys:
        revoked = "" if key.revoked_at is None else f" revoked {rfc3339(key.revoked_at)}"
        print(f"{key.name} created {rfc3339(key.created_at)}{revoked}")


@app.command()
def revoke(name: Name, data: Data = None, store: Store = None) -> None:
    """Make a key useless, for good; its name stays taken."""
    service = service_over(data, store)
    if not service.keyring.revoke(name, service.clock.now()):
        leave(REFUSED, f"no key that could be revoked has the name {name}")
    print(f"{name} is revoked")
