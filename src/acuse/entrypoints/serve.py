"""The commands that serve and work."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from acuse.bootstrap import Service
from acuse.entrypoints.api.target import PATH
from acuse.entrypoints.exposure import check_exposure
from acuse.entrypoints.logs import configure_logging
from acuse.entrypoints.options import Actions, Data, Queue, Store, settings_with

if TYPE_CHECKING:
    from acuse.entrypoints.supervisor import Supervisor

Runners = Annotated[
    int | None, typer.Option(metavar="N", help="Runs at once, each in a process of its own, in one worker.")
]

FIRST_STEP = """acuse is listening.
  requests  {public}{path}
  page      {ops}/
  health    {ops}/health/ready
  metrics   {ops}/metrics
  data      {data}
  actions   {actions}

Try it (send it again to see the record move on):
  curl -i {public}{path} -H 'content-type: application/json' \\
    -d '{{"id": "0192f0c1-0000-7000-8000-000000000001", "action": "delay", "seconds": 2}}'
"""

WORKS = """acuse works.
  page      {ops}/
  health    {ops}/health/ready
  metrics   {ops}/metrics
"""


def serve(
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Address of the public plane.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Port of the public plane; 0: any free one.")] = None,
    ops_port: Annotated[int | None, typer.Option(metavar="N", help="Port of the ops plane; 0: any free one.")] = None,
    data: Data = None,
    store: Store = None,
    queue: Queue = None,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Worker processes; 0: intake only.")] = None,
    runners: Runners = None,
    actions: Actions = None,
) -> None:
    """Run the whole service: API, ops plane and workers."""
    from acuse.entrypoints.supervisor import Supervisor  # noqa: PLC0415  (the other commands need not wait for it)

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
    check_exposure(service, settings.host, settings.ops_host)
    supervisor = Supervisor(settings)
    _run(
        supervisor,
        FIRST_STEP.format(
            public=supervisor.public_address,
            ops=supervisor.ops_address,
            path=PATH,
            data=settings.store if settings.table else settings.data,
            actions=", ".join(catalogue),
        ),
    )


def work(
    data: Data = None,
    store: Store = None,
    queue: Queue = None,
    runners: Runners = None,
    actions: Actions = None,
    ops_port: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Port of an ops plane for this worker, 0: any free one; without it there is none."
        ),
    ] = None,
) -> None:
    """Run one more worker over the same data."""
    from acuse.entrypoints.process import run_worker  # noqa: PLC0415  (the same)
    from acuse.entrypoints.supervisor import Supervisor  # noqa: PLC0415  (the same)

    settings = settings_with(
        data=data, store=store, queue=queue, runners=runners, actions=actions, ops_port=ops_port, workers=1
    )
    configure_logging(settings)
    service = Service(settings)
    service.inspect()
    if ops_port is None:
        run_worker(service, lambda: None)
        return
    _ = service.catalogue, service.queue  # What cannot be loaded or opened is said here, once.
    check_exposure(service, settings.ops_host)
    supervisor = Supervisor(settings, takes_in=False)
    _run(supervisor, WORKS.format(ops=supervisor.ops_address))


def _run(supervisor: Supervisor, told: str) -> NoReturn:
    from acuse.entrypoints.process import end_process  # noqa: PLC0415  (the same)

    signal.signal(signal.SIGTERM, lambda *_: supervisor.stop())
    signal.signal(signal.SIGINT, lambda *_: supervisor.stop())
    print(told, flush=True)
    supervisor.run()
    end_process()
