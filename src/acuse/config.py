"""Settings: read once from the environment, validated, handed down. The table in the docs is checked against this."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import msgspec
from msgspec import Meta

from acuse.domain.errors import Misconfigured
from acuse.domain.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "ACUSE_"
CLIENT_KEY = "ACUSE_KEY"
"""Not a setting of the service: the key that `acuse submit` sends."""

MAX_ITEM = 400_000
"""Bytes of what a client and a run may put into one item: the 400 KB of DynamoDB without the names and the stamps."""
MIN_MEMORY = 67_108_864
"""Bytes with which a runner can start; actions that import large libraries need more."""
MAX_PAYLOAD = 33_554_432
"""Bytes of what a worker and its runner tell each other at once: half of what their channel takes."""
MAX_VISIBILITY = timedelta(hours=12)

Count = Annotated[int, Meta(ge=1)]
Port = Annotated[int, Meta(ge=0, le=65_535)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. A member `max_body` is the environment's ACUSE_MAX_BODY; times are in seconds."""

    store: Annotated[
        str,
        Meta(
            description="Where records are kept: `sqlite`, in the data folder, or `dynamodb://TABLE`.",
            pattern=r"^(sqlite|dynamodb://[a-zA-Z0-9_.-]{3,255})$",
        ),
    ] = "sqlite"
    queue: Annotated[
        str,
        Meta(
            description="Where work waits, with a DynamoDB store: `sqs://NAME`. A SQLite store is its own queue.",
            pattern=r"^(|sqs://[a-zA-Z0-9_-]{1,80})$",
        ),
    ] = ""
    data: Annotated[Path, Meta(description="Folder that holds the database, and answers that wait to be read.")] = Path(
        "data"
    )
    host: Annotated[str, Meta(description="Address of the public plane.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the public plane; 0: any free one.")] = 8080
    ops_host: Annotated[str, Meta(description="Address of the ops plane.")] = "127.0.0.1"
    ops_port: Annotated[Port, Meta(description="Port of the ops plane; 0: any free one.")] = 8081
    ops_names: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]+$")], ...],
        Meta(description="Names by which browsers may reach the ops plane besides its address and `localhost`."),
    ] = ()
    allow_anyone: Annotated[bool, Meta(description="Listen beyond loopback although nobody is asked for a key.")] = (
        False
    )
    workers: Annotated[int, Meta(ge=0, description="Worker processes of `acuse serve`; 0: intake only.")] = 2
    runners: Annotated[Count, Meta(description="Runs at once, each in a process of its own, in one worker.")] = 2
    actions: Annotated[tuple[str, ...], Meta(description="Modules and files with actions, separated by commas.")] = ()
    max_head: Annotated[Count, Meta(description="Bytes of a request's head: its first line and its fields.")] = 65_536
    max_body: Annotated[Count, Meta(description="Bytes of one request: of a body, or of an item of many.")] = 262_144
    max_array: Annotated[
        Count, Meta(description="Bytes of many requests that are held as a whole: an array, or all or none.")
    ] = 4_194_304
    max_items: Annotated[Count, Meta(description="Requests in a body that is held as a whole.")] = 10_000
    max_expanded: Annotated[
        Count, Meta(description="Bytes that a body in gzip may expand to, if no other bound is lower.")
    ] = 134_217_728
    max_streams: Annotated[Count, Meta(description="NDJSON bodies that are read at once; above: 503.")] = 4
    max_spool: Annotated[
        Count,
        Meta(description="Bytes of one answer to many requests that wait in a file while the client does not read."),
    ] = 1_073_741_824
    body_timeout: Annotated[
        timedelta,
        Meta(description="Longest time for a request's head, and again for its body or the next piece of NDJSON."),
    ] = timedelta(seconds=10)
    min_rate: Annotated[Count, Meta(description="Bytes a second that NDJSON must keep to beyond that time.")] = 500
    answer_timeout: Annotated[
        timedelta, Meta(description="How long a client may leave its answer unread before it is cut off.")
    ] = timedelta(seconds=60)
    keep_alive: Annotated[
        timedelta,
        Meta(
            description="How long a connection is kept between requests; behind a load balancer, longer than by that."
        ),
    ] = timedelta(seconds=5)
    max_wait: Annotated[timedelta, Meta(description="Longest wait that `Prefer: wait=N` may ask for.")] = timedelta(
        seconds=60
    )
    max_connections: Annotated[Count, Meta(description="Connections at once on each plane; above: 503.")] = 1_000
    max_held_bytes: Annotated[Count, Meta(description="Bytes of bodies that are being read; above: 503.")] = 67_108_864
    rate: Annotated[
        int, Meta(ge=0, description="Requests a minute for each key (without keys: for all); above: 429. 0: no bound.")
    ] = 0
    keys_refresh: Annotated[
        timedelta, Meta(description="How long it may take until a new key, or a revoked one, is known.")
    ] = timedelta(seconds=5)
    max_waiting: Annotated[Count, Meta(description="Requests waiting to be stored; above: 503.")] = 10_000
    max_waiting_bytes: Annotated[Count, Meta(description="Bytes waiting to be stored; above: 503.")] = 67_108_864
    max_batch: Annotated[Count, Meta(description="Requests in one commit.")] = 512
    retry_after: Annotated[timedelta, Meta(description="What a 503 tells the client to wait.")] = timedelta(seconds=1)
    busy: Annotated[timedelta, Meta(description="Longest wait for another process's write to SQLite.")] = timedelta(
        seconds=2
    )
    lease: Annotated[
        timedelta,
        Meta(description="How long a silent worker keeps its work; the same for all who work on one SQLite file."),
    ] = timedelta(seconds=2)
    visibility: Annotated[
        timedelta, Meta(description="The same where the queue is SQS, in which every renewal is paid for.")
    ] = timedelta(seconds=30)
    patience: Annotated[timedelta, Meta(description="Longest time to try a call to DynamoDB or SQS again.")] = (
        timedelta(seconds=10)
    )
    in_flight: Annotated[Count, Meta(description="Calls to DynamoDB at once.")] = 8
    postpone: Annotated[
        timedelta, Meta(description="How long SQS keeps what may not run yet: concurrency used up, or action unknown.")
    ] = timedelta(seconds=10)
    drain: Annotated[timedelta, Meta(description="How long runs may go on after SIGTERM.")] = timedelta(seconds=30)
    max_memory: Annotated[
        int,
        Meta(
            ge=0,
            description="Bytes of data that the process of a run may take; Linux only, macOS keeps no bound. 0: none.",
        ),
    ] = 2_147_483_648
    max_result: Annotated[Count, Meta(description="Bytes of one result, and of one part's value.")] = 65_536
    max_parts: Annotated[Count, Meta(description="Parts of one request.")] = 10_000
    max_plan: Annotated[Count, Meta(description="Bytes of all the part values of one request.")] = 16_777_216
    log_level: Annotated[
        str, Meta(description="DEBUG, INFO, WARNING or ERROR.", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    ] = "INFO"
    log_format: Annotated[str, Meta(description="`text`, or `json`: one object a line.", pattern="^(text|json)$")] = (
        "text"
    )
    tracing: Annotated[
        bool,
        Meta(description="Send traces by OTLP, with the variables OTEL_*; needs `pip install 'acuse[otel]'`."),
    ] = False

    def __post_init__(self) -> None:
        """Refuse what would be unsafe or could not work."""
        for name in ("body_timeout", "answer_timeout", "lease", "busy", "visibility"):
            if getattr(self, name) <= timedelta(0):
                raise Misconfigured(f"{name} must be more than zero")
        for name in ("retry_after", "drain", "patience", "postpone", "max_wait", "keep_alive", "keys_refresh"):
            if getattr(self, name) < timedelta(0):
                raise Misconfigured(f"{name} must not be negative")
        if self.max_waiting_bytes < self.max_body:
            raise Misconfigured("max_waiting_bytes must be at least max_body, or a large request could never be stored")
        if self.max_held_bytes < max(self.max_body, self.max_array):
            raise Misconfigured("max_held_bytes must be at least max_body and max_array")
        if 0 < self.max_memory < MIN_MEMORY:
            raise Misconfigured(f"max_memory must be at least {MIN_MEMORY}, or 0 for no bound: no run could start")
        if max(self.max_body, self.max_result, self.max_plan) > MAX_PAYLOAD:
            raise Misconfigured(
                f"max_body, max_result and max_plan must be at most {MAX_PAYLOAD}: a runner takes no more"
            )
        self._check_aws()

    def _check_aws(self) -> None:
        if self.queue and not self.table:
            raise Misconfigured("a queue of its own belongs to a DynamoDB store; SQLite needs none")
        if self.table and max(self.max_body, self.max_result) + self.max_result > MAX_ITEM:
            raise Misconfigured(f"an item of DynamoDB holds {MAX_ITEM} bytes: max_body and max_result must fit in one")
        if self.visibility > MAX_VISIBILITY:
            raise Misconfigured("visibility must be at most 12 hours")

    def exposes(self, host: str) -> bool:
        """Whether that address may be reached from another machine, without a word that this is meant."""
        return not self.allow_anyone and not is_loopback(host)

    @property
    def table(self) -> str:
        """The name of the DynamoDB table; empty: the store is SQLite."""
        return self.store.removeprefix("dynamodb://") if self.store != "sqlite" else ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **chosen: Any) -> Self:
        """The environment's settings, with those that were chosen otherwise (None: not chosen) in their place."""
        names = {field.name for field in msgspec.structs.fields(cls)}
        found: dict[str, Any] = {
            name: environment[PREFIX + name.upper()] for name in names if environment.get(PREFIX + name.upper())
        }
        for name in ("actions", "ops_names"):
            if name in found:
                found[name] = [spec for one in found[name].split(",") if (spec := one.strip())]
        found.update({name: value for name, value in chosen.items() if value is not None})
        unknown = sorted(
            name
            for name in environment
            if name.startswith(PREFIX) and name != CLIENT_KEY and name.removeprefix(PREFIX).lower() not in names
        )
        if unknown:
            raise Misconfigured(f"no such setting: {', '.join(unknown)}")
        try:
            settings = msgspec.convert(found, cls, strict=False, dec_hook=lambda type_, value: type_(value))
        except msgspec.ValidationError as error:
            raise Misconfigured(f"settings: {error}") from error
        # Runs share a process, and one may leave it in another folder.
        actions = tuple(str(Path(one).absolute()) if one.endswith(".py") else one for one in settings.actions)
        if any("," in one for one in actions):
            raise Misconfigured("a path to actions cannot have a comma in it")
        return msgspec.structs.replace(settings, data=settings.data.absolute(), actions=actions)

    def to_environment(self) -> dict[str, str]:
        """What `from_environment` reads these settings from."""
        values = {field.name: getattr(self, field.name) for field in msgspec.structs.fields(type(self))}
        return {PREFIX + name.upper(): _text(value) for name, value in values.items()}


def _text(value: object) -> str:
    match value:
        case timedelta():
            return repr(value.total_seconds())
        case tuple():
            return ",".join(map(str, value))
        case bool():
            return str(value).lower()
        case _:
            return str(value)
