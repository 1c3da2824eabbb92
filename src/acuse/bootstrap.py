"""Settings → the wired service: the only place that picks adapters."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from contextlib import redirect_stdout
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from acuse.adapters.clock import SystemClock
from acuse.adapters.receiver import examine_receiver, receiver_of
from acuse.adapters.runners import ProcessRunner
from acuse.application.actions import Action, Catalogue
from acuse.application.observing import ignore
from acuse.application.perform import Limits
from acuse.application.tracing import UNTRACED
from acuse.application.worker import Worker
from acuse.domain.errors import Misconfigured
from acuse.domain.finding import Finding, Level
from acuse.domain.record import part_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

    from acuse.adapters.aws.backend import AwsBackend
    from acuse.adapters.sqlite.backend import SqliteBackend
    from acuse.adapters.tracing import Tracing
    from acuse.config import Settings
    from acuse.domain.api_key import ApiKey
    from acuse.domain.event import Observe
    from acuse.ports import Clock, Keyring, Overview, Queue, Store

ENTRY_POINTS = "acuse.actions"
DATABASE = "acuse.db"
BEATS_A_LEASE = 4
PARTING = timedelta(seconds=2)
"""How long a runner that is to end may go on sending what its runs have traced."""


class Service:
    """The parts of the service for one process, each made when it is first asked for: after any fork."""

    def __init__(self, settings: Settings, *, anew: bool = True) -> None:
        """Nothing is opened yet. `anew`: a file of SQLite that is not there is made when it is opened."""
        self.settings = settings
        self._anew = anew

    @cached_property
    def clock(self) -> Clock:
        """The machine's."""
        return SystemClock()

    @cached_property
    def catalogue(self) -> Catalogue:
        """Every action that the installed packages and the settings name."""
        return load_catalogue(self.settings.actions)

    def inspect(self) -> None:
        """The file of SQLite was found sound, as far as it was looked at. A table may be out of reach until later.

        Raises Misconfigured or StoreUnavailable, with what to do.
        """
        if self.settings.tracing:
            _tracing_adapter()
            receiver_of(os.environ)
        if not self.settings.table:
            self._sqlite.inspect()

    def inspect_log(self) -> None:
        """As inspect does the file of SQLite, if there is a log beside it, for one who opens it in passing."""
        if not self.settings.table:
            self._sqlite.inspect_log()

    def examine(self) -> Iterable[Finding]:
        """What is found of the store, on AWS of the queue, and of who takes traces; nothing of it is changed."""
        yield from self.aws.examine() if self.settings.table else self._sqlite.examine()
        if self.settings.tracing:
            yield _examined_tracing()

    def known_keys(self) -> Sequence[ApiKey]:
        """The keys of the clients; nothing is changed by the look."""
        return self.aws.keyring.keys() if self.settings.table else self._sqlite.known_keys()

    @property
    def store(self) -> Store:
        """The durable store."""
        return self.aws.store if self.settings.table else self._sqlite.store

    @property
    def keyring(self) -> Keyring:
        """The keys of the clients: in the same file, or in the same table."""
        return self.aws.keyring if self.settings.table else self._sqlite.keyring

    @property
    def queue(self) -> Queue:
        """What is due: in the same file, or in SQS."""
        return self.aws.queue if self.settings.table else self._sqlite.queue

    @property
    def overview(self) -> Overview:
        """What people look at: from the same file, or from the same table and SQS."""
        return self.aws.overview if self.settings.table else self._sqlite.overview

    # An adapter is imported where it is chosen: a laptop lacks the packages of the one, a function should not wait for
    # those of the other.

    @cached_property
    def aws(self) -> AwsBackend:
        """DynamoDB and SQS; the functions of AWS need more of it than the ports."""
        try:
            from acuse.adapters.aws.backend import AwsBackend  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name != "botocore":
                raise
            raise Misconfigured("DynamoDB and SQS need more packages: pip install 'acuse[aws]'") from error
        settings = self.settings
        return AwsBackend(
            self.clock,
            table=settings.table,
            queue=settings.queue,
            lease=settings.visibility,
            patience=settings.patience,
            in_flight=settings.in_flight,
            bounds=self._bounds,
            postpone=settings.postpone,
        )

    @cached_property
    def _sqlite(self) -> SqliteBackend:
        from acuse.adapters.sqlite.backend import SqliteBackend  # noqa: PLC0415

        settings = self.settings
        file = settings.data / DATABASE
        return SqliteBackend(
            self.clock, file=file, lease=settings.lease, busy=settings.busy, bounds=self._bounds, anew=self._anew
        )

    def _bounds(self) -> Mapping[str, int | None]:
        return self.catalogue.bounds()

    @cached_property
    def tracing(self) -> Tracing | None:
        """What keeps spans and sends them; None where that was not asked for."""
        return tracing_of(self.settings)

    def runner(self, **environment: str) -> ProcessRunner:
        """A process to run actions in, not yet started."""
        environment = {**os.environ, **self.settings.to_environment(), **environment}
        return ProcessRunner(environment, parting=PARTING if self.settings.tracing else None)

    def worker(self, polled: Callable[[], None], observe: Observe = ignore) -> Worker:
        """A worker with its runners, not yet running."""
        lease = self.settings.visibility if self.settings.table else self.settings.lease
        return Worker(
            self.store,
            self.queue,
            self.clock,
            self.catalogue,
            [self.runner() for _ in range(self.settings.runners)],
            beat=lease / BEATS_A_LEASE,
            drain=self.settings.drain,
            random=Random(),  # noqa: S311  (spreads retries; no secret)
            polled=polled,
            observe=observe,
            tracer=self.tracing or UNTRACED,
        )

    def close(self) -> None:
        """What was traced has been sent, as far as that could be done at once."""
        if self.tracing is not None:
            self.tracing.close()


def tracing_of(settings: Settings) -> Tracing | None:
    """What keeps the spans of a process and sends them; None where that was not asked for. Raises Misconfigured."""
    return _tracing_adapter().Tracing() if settings.tracing else None


def _examined_tracing() -> Finding:
    try:
        _tracing_adapter()
    except Misconfigured as error:
        return Finding(Level.FAILURE, "traces", str(error))
    return examine_receiver(os.environ)


def _tracing_adapter() -> ModuleType:
    try:
        from acuse.adapters import tracing  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise Misconfigured("traces need more packages: pip install 'acuse[otel]'") from error
    return tracing


def run_limits(settings: Settings) -> Limits:
    """What one run may give back."""
    return Limits(max_result=settings.max_result, max_parts=settings.max_parts, max_plan=settings.max_plan)


def part_results(settings: Settings) -> Callable[[str, int], Iterator[bytes]]:
    """How a runner reads the results of the parts that it merges: a page at a time, from the store."""
    service = Service(settings, anew=False)

    def results(id_: str, parts: int) -> Iterator[bytes]:
        for keys in part_keys(id_, parts):
            found = service.store.parts(keys)
            for key in keys:
                result = found[key].result
                if result is None:
                    raise LookupError(f"part {key.part} has no result")
                yield result

    return results


def load_catalogue(specs: Sequence[str]) -> Catalogue:
    """The actions of every entry point in the group `acuse.actions`, and of the modules and files that are named.

    Raises Misconfigured for what cannot be loaded.
    """
    from importlib import metadata  # noqa: PLC0415  (slow to import, and only those who load actions need it)

    types: list[type[Action]] = []
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            with redirect_stdout(sys.stderr):  # What it prints is not what was asked for.
                types.append(point.load())
        except (Exception, SystemExit) as error:
            raise Misconfigured(f"the action {point.name} ({point.value}) cannot be loaded: {error}") from error
    for spec in specs:
        try:
            with redirect_stdout(sys.stderr):
                module = _module(spec)
        except (Exception, SystemExit) as error:
            raise Misconfigured(f"the actions in {spec} cannot be loaded: {type(error).__name__}: {error}") from error
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Action) and value.__module__ == module.__name__
        ]
        if not found:
            raise Misconfigured(f"{spec} defines no action")
        types += found
    return Catalogue(types)


def _module(spec: str) -> ModuleType:
    path = Path(spec)
    if path.suffix != ".py":
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))  # Last, so that no file there can stand in for a library.
        return importlib.import_module(spec)
    name = f"acuse_actions_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise Misconfigured(f"{spec} is not a Python file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # As the import system does, so that what is half made is not found the next time.
        raise
    return module
