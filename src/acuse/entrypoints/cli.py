"""The command line."""

from __future__ import annotations

import typer

from acuse.domain.errors import AcuseError, Misconfigured, Unavailable
from acuse.entrypoints.check import check
from acuse.entrypoints.contract import openapi
from acuse.entrypoints.keys import app as keys
from acuse.entrypoints.options import MISCONFIGURED, REFUSED, UNAVAILABLE, leave
from acuse.entrypoints.purge import purge
from acuse.entrypoints.requeue import requeue
from acuse.entrypoints.retry import retry
from acuse.entrypoints.serve import serve, work
from acuse.entrypoints.show import show
from acuse.entrypoints.submit import submit

app = typer.Typer(
    help="A durable intake for mass data processing.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,  # A key may be among them.
)
app.command()(serve)
app.command()(work)
app.command()(submit)
app.command()(show)
app.command()(retry)
app.command()(purge)
app.command()(requeue)
app.command()(check)
app.command()(openapi)
app.add_typer(keys)


def main() -> None:
    """The console script."""
    try:
        app()
    except Misconfigured as error:
        leave(MISCONFIGURED, str(error))
    except Unavailable as error:
        leave(UNAVAILABLE, str(error))
    except AcuseError as error:
        leave(REFUSED, str(error))
