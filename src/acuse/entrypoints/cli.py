"""The command line."""

from __future__ import annotations

import logging
import signal
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from acuse.bootstrap import Service, configure_logging
from acuse.client import Client, Refused, Totals
from acuse.config import CLIENT_KEY
from acuse.domain.errors import AcuseError, Misconfigured, Unavailable
from acuse.entrypoints.api.openapi import text
from acuse.entrypoints.api.target import PATH
from acuse.entrypoints.check import check
from acuse.entrypoints.keys import app as keys
from acuse.entrypoints.options import (
    INTERRUPTED,
    MISCONFIGURED,
    REFUSED,
    UNAVAILABLE,
    Data,
    Queue,
    Store,
    existing,
    leave,
    settings_with,
)
from acuse.entrypoints.process import end_process, run_worker
from acuse.entrypoints.purge import purge
from acuse.entrypoints.requeue import requeue
from acuse.entrypoints.submit import aws_signer, position_in, requests_in, size_of
from acuse.entrypoints.supervisor import Supervisor

log = logging.getLogger(__name__)

app = typer.Typer(
    help="A durable intake for mass data processing.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,  # A key may be among them.
)
app.add_typer(keys)

Actions = Annotated[list[str] | None, typer.Option(help="Module or file with actions; repeat it for more.")]
Runners = Annotated[int | None, typer.Option(help="Runs at once, each in a process of its own, in one worker.")]

FIRST_STEP = """acuse is listening.
  requests  {public}{path}
  health    {ops}/health/ready
  data      {data}
  actions   {actions}

Try it (send it again to see the record move on):
  curl -i {public}{path} -H 'content-type: application/json' \\
    -d '{{"id": "0192f0c1-0000-7000-8000-000000000001", "action": "delay", "seconds": 2}}'
"""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address of the public plane.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the public plane; 0: any free one.")] = None,
    ops_port: Annotated[int | None, typer.Option(help="Port of the ops plane; 0: any free one.")] = None,
    data: Data = None,
    store: Store = None,
    queue: Queue = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; 0: intake only.")] = None,
    runners: Runners = None,
    actions: Actions = None,
) -> None:
    """Run the whole service: API, ops plane and workers."""
    settings = settings_with(
        host=host, port=port, ops_port=ops_port, data=data, store=store, queue=queue, workers=workers, runners=runners,
        actions=actions,
    )  # fmt: skip
    configure_logging(settings)
    service = Service(settings)
    service.inspect()
    catalogue, _ = service.catalogue, service.store  # What cannot be loaded or opened is said here, once.
    if settings.table:
        service.store.add([])
    if settings.is_exposed and not service.keyring.keys():
        problem = (
            f"{settings.host} can be reached by anyone, and there is no key to ask for: make one (acuse keys new NAME),"
            " use a loopback address, or set ACUSE_ALLOW_ANYONE=true if something in front asks"
        )
        if not settings.table:
            raise Misconfigured(problem)
        # A container is deployed before there is a key, and may start again after the last one is gone.
        log.warning("nobody is let in until there is a key", extra={"problem": problem})
    supervisor = Supervisor(settings)
    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    signal.signal(signal.SIGINT, lambda *_: supervisor.stop())
    print(
        FIRST_STEP.format(
            public=supervisor.public_address,
            ops=supervisor.ops_address,
            path=PATH,
            data=settings.store if settings.table else settings.data,
            actions=", ".join(catalogue),
        ),
        flush=True,
    )
    supervisor.run()
    end_process()


@app.command()
def work(
    data: Data = None, store: Store = None, queue: Queue = None, runners: Runners = None, actions: Actions = None
) -> None:
    """Run one more worker over the same data."""
    settings = settings_with(data=data, store=store, queue=queue, runners=runners, actions=actions)
    configure_logging(settings)
    service = Service(settings)
    service.inspect()
    run_worker(service, lambda: None)


@app.command()
def submit(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="Requests: a JSON object, an array, or one a line; - reads stdin.")
    ],
    url: Annotated[str | None, typer.Option(help="Where the service listens.")] = None,
    key: Annotated[
        str | None, typer.Option(envvar=CLIENT_KEY, help="The key to send, where keys are asked for.")
    ] = None,
    sigv4: Annotated[
        str | None,
        typer.Option(
            metavar="REGION", help="Sign with AWS credentials for that region, where IAM decides who may send."
        ),
    ] = None,
    insecure: Annotated[  # noqa: FBT002
        bool, typer.Option("--insecure", help="Send the key or the signature even over plain HTTP.")
    ] = False,
    minimal: Annotated[bool, typer.Option("--minimal", help="Print the id and the stamps only.")] = False,  # noqa: FBT002
) -> None:
    """Send requests and print each answer, one a line."""
    settings = settings_with()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logging.getLogger("stamina").setLevel(logging.ERROR)
    totals = Totals()
    try:
        signer = aws_signer(sigv4) if sigv4 is not None else None
        where = url or f"http://{host}:{settings.port}"
        with Client(where, key=key, signer=signer, insecure=insecure) as client, _progress() as bar:
            task = bar.add_task("", total=size_of(file), done=0)
            for item in client.submit_all(requests_in(file), minimal=minimal):
                print(item.document.decode(), flush=True)
                totals = totals.plus(item)
                bar.update(task, completed=position_in(file), done=totals.items)
    except ValueError as error:
        leave(MISCONFIGURED, _after(totals, error))
    except (Refused, Unavailable) as error:
        leave(REFUSED if isinstance(error, Refused) else UNAVAILABLE, _after(totals, error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if not totals.items:
        leave(MISCONFIGURED, "there is no request in it")
    if totals.refused:
        leave(REFUSED, f"{totals.refused} of {totals.items} were refused")
    if totals.unavailable:
        leave(UNAVAILABLE, f"{totals.unavailable} of {totals.items} could not be stored now")


@app.command()
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


@app.command()
def openapi(actions: Actions = None) -> None:
    """Print what the public plane takes and answers, in OpenAPI 3.1."""
    settings = settings_with(actions=actions)
    print(text(Service(settings).catalogue, settings), end="")


@app.command()
def retry(
    ids: Annotated[list[str], typer.Argument(help="Ids of failed requests.")], data: Data = None, store: Store = None
) -> None:
    """Queue failed requests again; of a split one, only the parts that failed."""
    done = Service(existing(data, store)).store.reopen([id_.lower() for id_ in ids])
    for id_, reopened in zip(ids, done, strict=True):
        print(f"{id_} {'accepted again' if reopened else 'is not a failed request'}")
    if not all(done):
        raise typer.Exit(REFUSED)


app.command()(check)
app.command()(purge)
app.command()(requeue)


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


def _progress() -> Progress:
    columns = (TextColumn("submitted {task.fields[done]}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _after(totals: Totals, error: Exception) -> str:
    return f"{error} (after the answers to the first {totals.items})" if totals.items else str(error)
