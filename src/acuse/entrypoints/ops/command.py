"""The command that looks at a service from outside."""

from __future__ import annotations

from typing import Annotated

import typer

from acuse.bootstrap import Service
from acuse.entrypoints.exposure import check_exposure
from acuse.entrypoints.logs import configure_logging
from acuse.entrypoints.options import Actions, Data, Queue, Store, existing

WHERE = """acuse shows what is in {store}.
  page      {ops}/
  health    {ops}/health/ready
  metrics   {ops}/metrics
"""


def ops(
    ops_port: Annotated[int | None, typer.Option(metavar="N", help="Port of the ops plane; 0: any free one.")] = None,
    data: Data = None,
    store: Store = None,
    queue: Queue = None,
    actions: Actions = None,
) -> None:
    """Run the ops plane alone. The service may run elsewhere, or not at all."""
    # Slow to import, which every other command would wait for.
    import uvloop  # noqa: PLC0415

    from acuse.entrypoints.ops.backlogs import Backlogs  # noqa: PLC0415
    from acuse.entrypoints.ops.health import Health  # noqa: PLC0415
    from acuse.entrypoints.ops.plane import serve_ops  # noqa: PLC0415
    from acuse.entrypoints.process import end_process  # noqa: PLC0415
    from acuse.entrypoints.supervisor import address, listen  # noqa: PLC0415

    settings = existing(data, store, ops_port=ops_port, queue=queue, actions=actions)
    configure_logging(settings)
    service = Service(settings, anew=False)
    service.inspect()
    check_exposure(service, settings.ops_host)
    listening = listen(settings.ops_host, settings.ops_port)
    where = settings.store if settings.table else settings.data
    print(WHERE.format(store=where, ops=address(listening)), end="", flush=True)
    backlogs = Backlogs(service)
    uvloop.run(serve_ops(service, listening, backlogs, Health(dict, answers=backlogs.answers), {}))
    end_process()
