"""What is watched, from when on somebody is told, and what is shown. What to do then: docs/how-to/alarms.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from constructs import Construct

from infra import metrics
from infra.alarms import Alarms
from infra.container_alarms import add_alarms
from infra.dashboard import Dashboard
from infra.metrics import DAY, MINUTE, MINUTES, Metrics

if TYPE_CHECKING:
    from aws_cdk.aws_cloudwatch import IMetric as Measure

    from infra.deployment import Deployment
    from infra.function import Function
    from infra.intake import Intake
    from infra.metrics import InContainers
    from infra.processing import Processing
    from infra.storage import StorageStack

ERROR_PERCENT = 1
"""Of answers and calls ("Production checklist" of the agent toolkit of AWS)."""
MANY_ANSWERS = 100
"""In five minutes, of which 1 % is a whole answer."""
FEW_ERRORS = 2
"""Of fewer answers than that: one or two a client has sent again before anybody could look."""
NEAR_TIMEOUT = 0.8
"""Of a function's timeout (the same checklist)."""
BUSY = 0.9
"""Of the worker's calls at once."""
BUSY_PERIODS = 12
"""An hour. A backlog that goes down may take all calls that there are for a while; that is what they are for."""
TABLE_WRITES = 40_000
"""Write units a second that a table on demand may take, until one asks for more (DynamoDB quotas)."""
NEAR_WRITES = 0.8
"""Of these, or of what is paid for at most: early enough to have the quota raised."""
SYSTEM_ERRORS = 10
"""In five minutes; a few are usual, and tried again (DynamoDB, "Error handling")."""
SETTLED_SECONDS = 900
"""A dead letter ends at once; if its function has failed once, after the six minutes that it is hidden."""
RELAY_SECONDS = 60
"""From a change to its delivery (the same checklist)."""
SILENT_PERIODS = 6
"""Half an hour: twice as long as any function runs, so that something would have ended meanwhile."""
MANY_ENDED = 20
"""In a quarter of an hour, of which 5 % is a whole request."""
FEW_FAILED = 2
MILLISECONDS = 1_000
QUARTER = Duration.minutes(15)


class Observation(Construct):
    """The alarms and the dashboard."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        deployment: Deployment,
        storage: StorageStack,
        processing: Processing,
        intake: Intake | None = None,
        worker: Function | None = None,
        containers: InContainers | None = None,
    ) -> None:
        super().__init__(scope, name)
        self._wanted = deployment
        self._metrics = Metrics(Stack.of(self).stack_name, deployment, storage, processing, intake, worker, containers)
        self.alarms = Alarms(self, "Alarms", email=deployment.alarm_email)
        if intake:
            answers, latency = metrics.of_api(intake, "Count"), metrics.of_api(intake, "Latency", "p99")
            self._on_answers(metrics.of_api(intake, "5xx"), answers, latency, in_seconds=MILLISECONDS)
        if containers:
            of = containers.of_balancer
            latency = of("TargetResponseTime", "p99")
            self._on_answers(containers.errors(), of("RequestCount"), latency, in_seconds=1)
            add_alarms(self.alarms, containers, deployment.containers)
        for part, function in self._metrics.functions.items():
            self._on_function(part, function)
        if worker:
            self._on_concurrency(worker)
        self._on_table()
        self._on_relay(processing)
        self._on_queues(processing)
        self._on_requests()
        self._on_volumes()
        Dashboard(self, "Dashboard", measured=self._metrics, alarms=self.alarms)

    def _on_answers(self, errors: Measure, answers: Measure, latency: Measure, *, in_seconds: int) -> None:
        self.alarms.add(
            "intake-error-share",
            metrics.ratio(errors, answers, least=MANY_ANSWERS, period=MINUTES),
            above=ERROR_PERCENT,
            periods=2,
            out_of=3,
            section="intake-errors",
            means="Clients are refused: more than 1 % of the answers are 5xx.",
        )
        self.alarms.add(
            "intake-errors",
            metrics.few(errors, answers, least=MANY_ANSWERS, period=MINUTES),
            above=FEW_ERRORS,
            means="Clients are refused: several answers are 5xx, at little traffic.",
        )
        if seconds := self._wanted.alarms.latency_seconds:
            self.alarms.add(
                "intake-latency",
                latency,
                above=seconds * in_seconds,
                periods=3,
                means="Clients wait: one answer in a hundred takes longer than was promised.",
            )

    def _on_function(self, part: str, function: Function) -> None:
        timeout = function.function.timeout
        if timeout is None:
            raise ValueError(f"{part}: a function without a timeout")
        self.alarms.add(
            f"{part}-errors",
            metrics.of_function(function, "Errors"),
            above=0,
            periods=2,
            out_of=3,
            section="function-errors",
            means=f"The function {part} fails again and again: its calls crash or run out of time.",
        )
        self.alarms.add(
            f"{part}-throttles",
            metrics.of_function(function, "Throttles"),
            above=0,
            section="function-throttles",
            means=f"The function {part} is not called when it should be: the account has no calls at once left.",
        )
        self.alarms.add(
            f"{part}-duration",
            metrics.of_function(function, "Duration", "p99"),
            above=NEAR_TIMEOUT * timeout.to_milliseconds(),
            periods=2,
            out_of=3,
            section="function-duration",
            means=f"The function {part} takes nearly all the time it has; a little more, and it is cut off.",
        )

    def _on_concurrency(self, worker: Function) -> None:
        self.alarms.add(
            "worker-concurrency",
            metrics.of_function(worker, "ConcurrentExecutions", "Maximum"),
            above=BUSY * self._wanted.worker.concurrency,
            periods=BUSY_PERIODS,
            means="The worker has been busy with all the calls at once that it may have, for an hour.",
        )

    def _on_table(self) -> None:
        for what in ("Write", "Read"):
            self.alarms.add(
                f"table-throttled-{what.lower()}s",
                self._metrics.of_table(f"{what}ThrottleEvents"),
                above=0,
                periods=2,
                out_of=3,
                section="table-throttled",
                means=f"The table refuses {what.lower()}s, again and again: too many, at once or of one item.",
            )
        self.alarms.add(
            "table-errors",
            self._metrics.system_errors(),
            above=SYSTEM_ERRORS,
            periods=2,
            out_of=3,
            means="DynamoDB fails by a fault of its own, again and again.",
        )
        most = self._wanted.table.max_writes or TABLE_WRITES
        self.alarms.add(
            "table-writes",
            self._metrics.of_table("ConsumedWriteCapacityUnits").with_(period=MINUTE),
            above=NEAR_WRITES * most * MINUTE.to_seconds(),
            periods=3,
            out_of=5,
            means=f"The table takes nearly the {most:,} write units a second that it may; above, it refuses.",
        )

    def _on_relay(self, processing: Processing) -> None:
        self.alarms.add(
            "relay-age",
            metrics.of_function(processing.relay, "IteratorAge", "Maximum").with_(period=MINUTE),
            above=RELAY_SECONDS * 1_000,
            periods=3,
            out_of=5,
            means="The relay is behind: what is accepted is delivered late. After a day the stream forgets it.",
        )
        self.alarms.add(
            "relay-silent",
            metrics.math(
                "IF(FILL(writes, 0) > 0 AND FILL(calls, 0) == 0, 1, 0)",
                MINUTES,
                writes=self._metrics.of_table("ConsumedWriteCapacityUnits"),
                calls=metrics.of_function(processing.relay, "Invocations"),
            ),
            above=0,
            periods=SILENT_PERIODS,
            means="The table is written to, and the relay is not called. After a day the stream forgets.",
        )
        self.alarms.add(
            "undelivered",
            metrics.of_queue(processing.undelivered, "ApproximateNumberOfMessagesVisible"),
            above=0,
            means="The relay has given up: what was accepted there is not delivered until it is sent again.",
        )

    def _on_queues(self, processing: Processing) -> None:
        self.alarms.add(
            "queue-oldest",
            metrics.of_queue(processing.queue, "ApproximateAgeOfOldestMessage"),
            above=self._wanted.alarms.oldest_minutes * 60,
            means="Work waits for longer than was reckoned with.",
        )
        dead = processing.dead_letters
        self.alarms.add(
            "dead-letters",
            metrics.total(
                {
                    "waiting": metrics.of_queue(dead, "ApproximateNumberOfMessagesVisible"),
                    "taken": metrics.of_queue(dead, "NumberOfMessagesReceived", "Sum"),
                }
            ),
            above=0,
            means="What was delivered again and again without an end was given up; its requests end as failed.",
        )
        self.alarms.add(
            "dead-letters-oldest",
            metrics.of_queue(dead, "ApproximateAgeOfOldestMessage"),
            above=SETTLED_SECONDS,
            means="Dead letters are not settled: their requests have no end.",
        )

    def _on_requests(self) -> None:
        failed = self._metrics.of_service("Failed")
        ended = metrics.total({"part": failed, "finished": self._metrics.of_service("Finished")}, QUARTER)
        percent = self._wanted.alarms.failed_percent
        self.alarms.add(
            "failed-share",
            metrics.ratio(failed, ended, least=MANY_ENDED, period=QUARTER),
            above=percent,
            section="failed",
            means=f"More than {percent:g} % of the requests that end have failed.",
        )
        self.alarms.add(
            "failed",
            metrics.few(failed, ended, least=MANY_ENDED, period=QUARTER),
            above=FEW_FAILED,
            means="Several of the few requests that end have failed.",
        )

    def _on_volumes(self) -> None:
        wanted = self._wanted.alarms
        if wanted.requests_per_day:
            self.alarms.add(
                "requests-per-day",
                self._metrics.of_service("Accepted").with_(period=DAY),
                above=wanted.requests_per_day,
                section="volumes",
                means=f"More than {wanted.requests_per_day:,} requests were accepted in a day; they are paid for.",
            )
        if wanted.write_units_per_day:
            self.alarms.add(
                "write-units-per-day",
                self._metrics.of_table("ConsumedWriteCapacityUnits").with_(period=DAY),
                above=wanted.write_units_per_day,
                section="volumes",
                means=f"More than {wanted.write_units_per_day:,} write units were used in a day; they are paid for.",
            )
