"""The command that says before a deployment whether the service could run like this."""

from __future__ import annotations

import platform
import sqlite3
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from acuse.adapters.machine import examine_clock, examine_files, examine_ports
from acuse.bootstrap import Service
from acuse.domain.errors import AcuseError, Misconfigured, RunnerUnavailable
from acuse.domain.finding import Finding, Level
from acuse.entrypoints.exposure import NO_KEY, exposed
from acuse.entrypoints.options import MISCONFIGURED, Actions, Data, Form, Queue, Store, settings_with
from acuse.entrypoints.terminal import console_of, seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from acuse.config import Settings

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "bold red"}


def check(
    data: Data = None,
    store: Store = None,
    queue: Queue = None,
    actions: Actions = None,
    form: Annotated[Form, typer.Option("--format", help="A table, or JSON, one finding a line.")] = Form.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="A warning is a failure.")] = False,  # noqa: FBT002
) -> None:
    """Say whether the service could run with these settings. Ask before a deployment.

    It looks at settings, actions, store, rights, clock, disk and ports, starts a runner, and leaves everything as it
    was. On SQLite it makes and removes a file in the data folder; on AWS it only reads.
    """
    try:
        settings = settings_with(data=data, store=store, queue=queue, actions=actions)
    except Misconfigured as error:
        _tell([Finding(Level.FAILURE, "settings", str(error).removeprefix("settings: "))], form)
        raise typer.Exit(MISCONFIGURED) from error
    findings = list(_findings(settings))
    _tell(findings, form)
    bad = {Level.FAILURE, Level.WARNING} if strict else {Level.FAILURE}
    if any(one.level in bad for one in findings):
        raise typer.Exit(MISCONFIGURED)


def _findings(settings: Settings) -> Iterator[Finding]:
    # Slow to import, which every other command would wait for.
    from acuse.entrypoints.protocol import MAX_PARTING  # noqa: PLC0415
    from acuse.entrypoints.server import SPARE_FILES  # noqa: PLC0415

    service = Service(settings, anew=False)
    yield Finding(Level.OK, "settings", "every one of them can be used")
    yield Finding(Level.OK, "versions", f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    yield from _actions(service)
    yield from service.examine()
    yield _keys(service)
    yield examine_clock()
    yield from examine_ports(
        {"public plane": (settings.host, settings.port), "ops plane": (settings.ops_host, settings.ops_port)}
    )
    yield examine_files(settings.max_connections + MAX_PARTING + SPARE_FILES)


def _actions(service: Service) -> Iterator[Finding]:
    try:
        catalogue = service.catalogue
    except Misconfigured as error:
        yield Finding(Level.FAILURE, "actions", str(error))
        return
    yield Finding(Level.OK, "actions", ", ".join(catalogue))
    runner = service.runner(ACUSE_TRACING="false")  # What is wrong with traces is told of by itself.
    try:
        runner.ready()
    except RunnerUnavailable as error:
        yield Finding(Level.FAILURE, "runner", f"{error}: see ACUSE_MAX_MEMORY, and what the actions import")
    else:
        yield Finding(Level.OK, "runner", "one was started, and knew the actions")
    finally:
        runner.kill()


def _keys(service: Service) -> Finding:
    settings = service.settings
    reached = exposed(settings, settings.host, settings.ops_host)
    try:
        known = service.known_keys()
    except (AcuseError, OSError) as error:
        if reached:
            return Finding(Level.WARNING, "keys", f"whether there is one, as there must be, cannot be seen: {error}")
        known = []
    in_force = sum(key.revoked_at is None for key in known)
    if in_force:
        return Finding(Level.OK, "keys", f"{in_force} in force: every request needs one")
    if known:
        return Finding(Level.WARNING, "keys", "all are revoked, so nobody is let in: acuse keys new NAME")
    if not reached:
        why = "ACUSE_ALLOW_ANYONE says so" if settings.allow_anyone else "nothing is reached from elsewhere"
        return Finding(Level.OK, "keys", f"none is asked for: {why}")
    return Finding(Level.FAILURE, "keys", NO_KEY.format(reached[0]))


def _tell(findings: Sequence[Finding], form: Form) -> None:
    if form is Form.JSON:
        for one in findings:
            print(msgspec.json.encode(one).decode())
        return
    told = console_of()
    if not told.is_terminal:
        for one in findings:
            print(f"{one.level:8} {one.subject:13} {seen(one.detail)}")
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for one in findings:
        table.add_row(Text(one.level, STYLES[one.level]), Text(one.subject), Text(seen(one.detail), overflow="fold"))
    told.print(table)
