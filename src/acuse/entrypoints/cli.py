"""The command line."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from acuse.domain.errors import AcuseError, Misconfigured, Unavailable
from acuse.entrypoints.bench.command import bench
from acuse.entrypoints.check import check
from acuse.entrypoints.contract import openapi
from acuse.entrypoints.export import export
from acuse.entrypoints.keys import app as keys
from acuse.entrypoints.listing import list_
from acuse.entrypoints.ops.command import ops
from acuse.entrypoints.options import MISCONFIGURED, REFUSED, UNAVAILABLE, UNREAD, leave
from acuse.entrypoints.purge import purge
from acuse.entrypoints.requeue import requeue
from acuse.entrypoints.retry import retry
from acuse.entrypoints.serve import serve, work
from acuse.entrypoints.show import show
from acuse.entrypoints.submit import submit
from acuse.entrypoints.terminal import give_up

UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT})


class Commands(TyperGroup):
    """All commands. Whatever one raises on purpose ends it with a message and the exit code for that."""

    def invoke(self, ctx: Any) -> Any:
        """What the command printed has been written."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except Misconfigured as error:
            leave(MISCONFIGURED, str(error))
        except Unavailable as error:
            leave(UNAVAILABLE, str(error))
        except AcuseError as error:
            leave(REFUSED, str(error))
        except OSError as error:
            if error.filename is not None:
                leave(UNAVAILABLE, f"{os.fsdecode(error.filename)}: {error.strerror}")
            if error.errno not in UNWRITABLE:
                raise
            give_up(sys.stdout)
            if error.errno == errno.EPIPE:
                sys.exit(UNREAD)
            leave(UNAVAILABLE, f"the output could not be written: {error.strerror}")


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,  # A key may be among them.
)
app.command()(serve)
app.command()(work)
app.command()(ops)
app.command()(submit)
app.command("list")(list_)
app.command()(show)
app.command()(retry)
app.command()(export)
app.command()(purge)
app.command()(requeue)
app.command()(check)
app.command()(bench)
app.command()(openapi)
app.add_typer(keys)


@app.callback(invoke_without_command=True)
def acuse(*, version: Annotated[bool, typer.Option("--version", help="Print the version, and end.")] = False) -> None:
    """A durable intake for mass data processing."""
    if version:
        print(metadata.version("acuse"))
        raise typer.Exit


def main() -> None:
    """The console script. What was closed when it began, as by `>&-`, is as if it led nowhere."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The lowest that is free, which is that one.
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):  # JSON is in UTF-8; a terminal may know less.
        if sys.stdout.isatty():
            sys.stdout.reconfigure(errors="backslashreplace")
        else:
            sys.stdout.reconfigure(encoding="utf-8")
    logging.getLogger("acuse").addHandler(logging.NullHandler())  # A command says itself what went wrong.
    app()
