"""Deployment: all that can be chosen about the stack, in one object, read from a TOML file."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from msgspec import Meta

from acuse.config import Settings
from acuse.domain.errors import Misconfigured

DEPLOYMENT = Path(__file__).parent / "deployment.toml"
LAMBDA_SECONDS = 900
"""The longest a function runs (Lambda quotas)."""
MAX_PATIENCE = timedelta(seconds=20)
"""After which a client of the intake is told 503 while the HTTP API still listens, and a relay fails in good time."""
TASK_MEMORY = {
    256: (512, 1_024, 2_048),
    512: range(1_024, 4_096 + 1, 1_024),
    1_024: range(2_048, 8_192 + 1, 1_024),
    2_048: range(4_096, 16_384 + 1, 1_024),
    4_096: range(8_192, 30_720 + 1, 1_024),
    8_192: range(16_384, 61_440 + 1, 4_096),
    16_384: range(32_768, 122_880 + 1, 8_192),
}
"""MB that a task may have, by its units of processor (ECS guide, "Task definition parameters for Fargate")."""
WORKER_MEMORY = 256
"""MB of a worker in a container for itself."""
MIN_RUN_MEMORY = 128
MIN_PREFIX, MAX_PREFIX = 16, 20
"""Of a network with room for two subnets of 256 public addresses beside those of the tasks; a VPC has 16 at least."""
RANGE = r"^\d{1,3}(\.\d{1,3}){3}/\d{1,2}$"
IMAGE = r"^(|\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9._/-]+(@sha256:[0-9a-f]{64}|:[\w.-]+))$"
FREE_WRITES = 4_000
"""Write units a second that a new table takes at once (DynamoDB guide, "Warm throughput")."""
LogDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


class Profile(StrEnum):
    """What the intake and the workers run on."""

    LAMBDA = "lambda"
    FARGATE = "fargate"


class Access(StrEnum):
    """Who is let in, and who asks."""

    IAM = "iam"
    """The HTTP API takes requests signed by an identity of AWS that may invoke it."""
    JWT = "jwt"
    """The HTTP API takes tokens of one issuer."""
    KEYS = "keys"
    """The service itself asks for the keys that `acuse keys` makes."""


class Unfit(ValueError):
    """The deployment cannot be as it was asked for."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Intake(Section, frozen=True):
    """What stands at the door."""

    access: Access = Access.IAM
    """`iam`: identities of AWS; `jwt`: who has a token; `keys`: who has a key of the service."""
    issuer: Annotated[str, Meta(pattern="^(https://.+)?$")] = ""
    """Of the tokens, an https URL; for `jwt`."""
    audience: tuple[str, ...] = ()
    """Whom the tokens must be meant for; for `jwt`."""
    rate: Annotated[int, Meta(ge=1)] = 500
    """Requests a second that the HTTP API lets through; above: 429."""
    burst: Annotated[int, Meta(ge=1)] = 1_000
    """Requests at once, beyond that rate."""
    memory: Annotated[int, Meta(ge=256, le=10_240)] = 512
    """MB of the function."""


class Table(Section, frozen=True):
    """Where the records are."""

    customer_key: bool = False
    """Table and queues under a key of one's own in KMS, not one of AWS. To turn it off, delete the service first."""
    max_writes: Annotated[int, Meta(ge=0)] = 0
    """Write units a second that are paid for at most; 0: as many as come."""
    warm_writes: Annotated[int, Meta(ge=0)] = 0
    """Write units a second that the table is ready for from the start, at a price; 0: the 4,000 that cost nothing."""

    def __post_init__(self) -> None:
        """Refuse what DynamoDB would."""
        if 0 < self.warm_writes < FREE_WRITES:
            raise Unfit(f"table: a table is warm for {FREE_WRITES} writes a second anyway; warm_writes is 0 or more")
        if 0 < self.max_writes < self.warm_writes:
            raise Unfit("table: it cannot be warm for more writes than it may take")


class Worker(Section, frozen=True):
    """The function that runs actions."""

    memory: Annotated[int, Meta(ge=512, le=10_240)] = 1_024
    """MB; 1,769 are one whole processor."""
    seconds: Annotated[int, Meta(ge=30, le=LAMBDA_SECONDS)] = 330
    """The function's timeout; a run has 13 seconds less. What was cut off comes again after six times as long."""
    concurrency: Annotated[int, Meta(ge=2, le=1_000)] = 50
    """Calls at once."""
    batch: Annotated[int, Meta(ge=1, le=10)] = 1
    """Messages a call, run one after another; more are cheaper where runs are short."""
    receives: Annotated[int, Meta(ge=5, le=1_000)] = 10
    """Deliveries of a message after which it is a dead letter: more than any action has attempts."""


class Containers(Section, frozen=True):
    """The services of the profile `fargate`."""

    certificate: str = ""
    """ARN in ACM; with it the load balancer speaks HTTPS."""
    public: bool = False
    """Whether the load balancer can be reached from the internet; only with a certificate."""
    clients: tuple[Annotated[str, Meta(pattern=RANGE)], ...] = ()
    """Address ranges that the load balancer lets in; none: its own network, or everybody if it is public."""
    network: Annotated[str, Meta(pattern=RANGE)] = "10.0.0.0/16"
    """Addresses of the network that the stack makes: others than those of networks that are to be joined with it."""
    internet: bool = False
    """Whether actions reach the internet, over HTTPS, through a NAT gateway at its price."""
    image: Annotated[str, Meta(pattern=IMAGE)] = ""
    """In ECR, in the stack's region: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:DIGEST; none: it is built."""
    api_cpu: Annotated[int, Meta(ge=256, le=16_384)] = 512
    """Units of a task of the intake, which is one process: 1,024, one processor, are the most that it uses."""
    api_memory: Annotated[int, Meta(ge=512, le=122_880)] = 1_024
    """MB of a task of the intake."""
    api_tasks: Annotated[int, Meta(ge=2, le=1_000)] = 2
    """Tasks of the intake at least."""
    max_api_tasks: Annotated[int, Meta(ge=2, le=1_000)] = 10
    """Tasks of the intake at most."""
    worker_tasks: Annotated[int, Meta(ge=1, le=1_000)] = 1
    """Tasks of workers at least."""
    max_worker_tasks: Annotated[int, Meta(ge=1, le=1_000)] = 20
    """Tasks of workers at most."""
    worker_cpu: Annotated[int, Meta(ge=256, le=16_384)] = 1_024
    """Units of a task; 1,024 are one processor."""
    worker_memory: Annotated[int, Meta(ge=512, le=122_880)] = 4_096
    """MB of a task."""
    runners: Annotated[int, Meta(ge=1, le=64)] = 2
    """Runs at once in a task."""
    backlog: Annotated[int, Meta(ge=1)] = 20
    """Messages that wait for each task, at which the number of tasks stays as it is."""
    drain: Annotated[int, Meta(ge=1, le=110)] = 90
    """Seconds that runs may go on after SIGTERM; a Spot task is killed 120 seconds after it."""

    def __post_init__(self) -> None:
        """Refuse what Fargate has no task for, and what is no network."""
        for text in (self.network, *self.clients):
            try:
                size = ip_network(text).prefixlen
            except ValueError as error:
                raise Unfit(f"containers: {error}") from error
            if text == self.network and not MIN_PREFIX <= size <= MAX_PREFIX:
                raise Unfit(f"containers: the network {text} has a prefix of {MIN_PREFIX} to {MAX_PREFIX} bits")
        for cpu, memory in ((self.api_cpu, self.api_memory), (self.worker_cpu, self.worker_memory)):
            if memory not in TASK_MEMORY.get(cpu, ()):
                raise Unfit(f"containers: Fargate has no task with {cpu} units of processor and {memory} MB")
        if self.run_memory < MIN_RUN_MEMORY:
            raise Unfit(f"containers: {self.runners} runs at once need more than {self.worker_memory} MB")

    @property
    def run_memory(self) -> int:
        """MB of one run: one that takes more fails by itself, and not its task."""
        return (self.worker_memory - WORKER_MEMORY) // self.runners


class Alarms(Section, frozen=True):
    """When somebody is told, where that depends on the work."""

    oldest_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 30
    """Age of the oldest message in the queue: longer than a run takes, and than a backlog that is as it should be."""
    latency_seconds: Annotated[float, Meta(ge=0)] = 5
    """In which 99 of 100 answers are given; those that a client waits for count. 0: no alarm."""
    failed_percent: Annotated[float, Meta(ge=0, lt=100)] = 5
    """Of the requests that end, how many may end as failed."""
    requests_per_day: Annotated[int, Meta(ge=0)] = 0
    """Requests accepted in a day that were reckoned with; 0: no alarm."""
    write_units_per_day: Annotated[int, Meta(ge=0)] = 0
    """Write units of the table in a day that were reckoned with; 0: no alarm."""


class Deployment(Section, frozen=True):
    """Everything that can be chosen about the stack. Raises Unfit for what cannot be."""

    name: Annotated[str, Meta(pattern=r"^[a-z](-?[a-z0-9]){1,29}$")] = "acuse"
    """Prefix of the stacks' names."""
    profile: Profile = Profile.LAMBDA
    """What intake and workers run on: `lambda` or `fargate`."""
    actions: tuple[str, ...] = ()
    """Modules and .py files with actions. Files, with paths from the file of this deployment, travel with the code."""
    requirements: str = ""
    """A file of pip with what the actions need, with hashes; a path from the file of this deployment."""
    policies: tuple[Annotated[str, Meta(pattern="^arn:")], ...] = ()
    """ARNs of managed policies: what actions may do beyond the service's own work. The workers alone have them."""
    settings: dict[str, str] = {}
    """Settings of the service, by their names in its environment, over those that the stack makes."""
    log_days: LogDays = 30
    """Days that logs are kept; CloudWatch knows only these numbers."""
    alarm_email: Annotated[str, Meta(pattern="^([^@ ]+@[^@ ]+)?$")] = ""
    """Who is told of alarms."""
    intake: Intake = Intake()
    table: Table = Table()
    worker: Worker = Worker()
    containers: Containers = Containers()
    alarms: Alarms = Alarms()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        intake, containers = self.intake, self.containers
        said = {bool(intake.issuer), bool(intake.audience)}
        if said != {intake.access is Access.JWT}:
            raise Unfit("intake: an issuer and an audience are needed for access `jwt`, and for no other")
        if self.profile is Profile.FARGATE and intake.access is not Access.KEYS:
            raise Unfit("intake: a load balancer asks for no identity; with profile `fargate` access is `keys`")
        if self.profile is Profile.LAMBDA and self.alarms.oldest_minutes * 60 <= self.worker.seconds:
            raise Unfit("alarms: a message is as old as its run is long; oldest_minutes must be more than the timeout")
        if containers.public and not containers.certificate:
            raise Unfit("containers: what can be reached from the internet needs a certificate")
        if containers.max_api_tasks < containers.api_tasks or containers.max_worker_tasks < containers.worker_tasks:
            raise Unfit("containers: the most tasks are fewer than the least")
        if taken := sorted(OWN_SETTINGS & self.settings.keys()):
            raise Unfit(f"settings: the stack itself says {', '.join(taken)}")
        try:
            settings = Settings.from_environment(self.environment("table", "queue"))
        except Misconfigured as error:
            raise Unfit(str(error)) from error
        if settings.patience > MAX_PATIENCE:
            raise Unfit(f"settings: ACUSE_PATIENCE is at most {MAX_PATIENCE.total_seconds():g} seconds")

    def environment(self, table: str, queue: str) -> dict[str, str]:
        """The settings of the service, wherever it runs."""
        return {
            "ACUSE_STORE": f"dynamodb://{table}",
            "ACUSE_QUEUE": f"sqs://{queue}",
            **({"ACUSE_ACTIONS": ",".join(map(_module, self.actions))} if self.actions else {}),
            **self.settings,
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        """The deployment in a TOML file; what the file does not name is as by default."""
        try:
            return msgspec.toml.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError) as error:
            raise Unfit(f"{path}: {error}") from error


OWN_SETTINGS = frozenset({"ACUSE_STORE", "ACUSE_QUEUE", "ACUSE_ACTIONS", "ACUSE_ALLOW_ANYONE", "ACUSE_HOST"})


def _module(action: str) -> str:
    """A file travels beside the code, where its name is that of a module."""
    return action.removesuffix(".py").rpartition("/")[2] if action.endswith(".py") else action
