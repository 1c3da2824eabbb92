"""The command that measures this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from acuse.domain.errors import Misconfigured
from acuse.entrypoints.options import INTERRUPTED, REFUSED, Actions, Data, leave, settings_with
from acuse.entrypoints.terminal import console_of

if TYPE_CHECKING:
    from acuse.entrypoints.bench.figures import Figures, Spread

REQUEST = '{"action": "delay", "seconds": 0}'


def bench(
    seconds: Annotated[
        float, typer.Option(metavar="N", min=0.01, max=86_400, help="How long requests are sent, in each of two ways.")
    ] = 10,
    connections: Annotated[int, typer.Option(metavar="N", min=1, help="Connections at once.")] = 16,
    request: Annotated[str, typer.Option(metavar="JSON", help="What is sent, without its id.")] = REQUEST,
    data: Data = None,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Worker processes.")] = None,
    runners: Annotated[int | None, typer.Option(metavar="N", min=1, help="Runs at once, in one worker.")] = None,
    actions: Actions = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Write a chart there, as SVG.")] = None,
) -> None:
    """Measure how much this machine accepts and finishes, and how fast.

    A service of its own is started twice, for requests sent singly and in bulk, over a folder beside the database
    (--data says where), which is gone in the end. What sends the requests takes its share of the machine, too.
    """
    # Slow to import, which every other command would wait for.
    from acuse.entrypoints.bench.disk import sync_times  # noqa: PLC0415
    from acuse.entrypoints.bench.figures import spread  # noqa: PLC0415
    from acuse.entrypoints.bench.interruption import end_at_the_first  # noqa: PLC0415
    from acuse.entrypoints.bench.measuring import measured  # noqa: PLC0415

    settings = settings_with(data=data, workers=workers, runners=runners, actions=actions)
    members = _members(request)
    file = Path(plot).absolute() if plot else None
    if file is not None and not file.parent.is_dir():
        raise Misconfigured(f"there is no folder {file.parent} for the chart")
    if file is not None and (file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK)):
        raise Misconfigured(f"{file} cannot be written")
    if connections > settings.max_connections:
        raise Misconfigured(f"the service takes {settings.max_connections} connections at once: ACUSE_MAX_CONNECTIONS")
    place = next(one for one in (settings.data, *settings.data.parents) if one.is_dir())
    end_at_the_first()
    try:
        with console_of(stderr=True).status("the disk") as status:
            sync = spread(sync_times(place))
            found = dict(measured(settings, place, members, seconds, connections, status.update))
    except KeyboardInterrupt:
        leave(INTERRUPTED, "interrupted: nothing is told of what was not measured to its end")
    except OSError as error:
        raise Misconfigured(f"{place} cannot be measured: {error}") from error
    _tell(found, sync, file)
    lost = sum(one.lost for one in found.values())
    if lost:
        leave(REFUSED, f"{lost} requests were acknowledged and are not there")


def _members(text: str) -> dict[str, object]:
    try:
        members = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise Misconfigured(f"--request is no JSON object: {error}") from error
    if "id" in members:
        raise Misconfigured("--request has an id: each request is given one of its own")
    return members


def _tell(found: dict[str, Figures], sync: Spread, file: Path | None) -> None:
    from acuse.entrypoints.bench.report import bars, chart, table  # noqa: PLC0415

    told = console_of()
    told.print(table(found, sync))
    for name, one in found.items():
        told.print()
        told.print(bars(name, one, told))
    if file is not None:
        file.write_text(chart(found), "utf-8")
