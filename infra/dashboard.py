"""The dashboard: whether all is well, at a glance; below that, each part, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack, aws_cloudwatch
from aws_cdk.aws_cloudwatch import GraphWidget, TextWidget
from constructs import Construct

from infra import metrics, spending
from infra.graph import WIDTH, graph
from infra.metrics import HOUR, MINUTE, of_api, of_function, of_log, of_queue

if TYPE_CHECKING:
    from aws_cdk.aws_cloudwatch import MathExpression as Math
    from aws_cdk.aws_cloudwatch import Metric

    from infra.alarms import Alarms
    from infra.function import Function
    from infra.intake import Intake
    from infra.metrics import InContainers, Metrics

STATES_HEIGHT = 5
SECOND = 1_000
"""Milliseconds."""
UNITS = ("write", "read")


class Dashboard(Construct):
    """One page of rows; each graph says in its title what it shows, and in what unit beside its axis."""

    def __init__(self, scope: Construct, name: str, *, measured: Metrics, alarms: Alarms) -> None:
        super().__init__(scope, name)
        self._page = aws_cloudwatch.Dashboard(
            self,
            "Page",
            dashboard_name=Stack.of(self).stack_name,
            default_interval=Duration.hours(3),
            period_override=aws_cloudwatch.PeriodOverride.INHERIT,
        )
        self._page.add_widgets(
            aws_cloudwatch.AlarmStatusWidget(
                title="Alarms: green is well", alarms=list(alarms.added), width=WIDTH, height=STATES_HEIGHT
            )
        )
        self._page.add_widgets(*_glance(measured))
        if measured.intake:
            self._row("Intake", *_intake(measured.intake, measured))
        if measured.containers:
            self._row("Intake", *_balanced(measured.containers, measured))
        self._row("Store", *_store(measured))
        self._row("Delivery", *_delivery(measured))
        if measured.worker:
            self._row("Workers", *_workers(measured.worker, measured))
        if measured.containers:
            self._row("Tasks", *_tasks(measured.containers, measured))
        self._row("What costs", *_volumes(measured))

    def _row(self, title: str, *graphs: GraphWidget) -> None:
        self._page.add_widgets(TextWidget(markdown=f"## {title}", width=WIDTH, height=1))
        self._page.add_widgets(*graphs)


def _glance(measured: Metrics) -> list[GraphWidget]:
    end = "TimeToEnd"
    oldest = of_queue(measured.processing.queue, "ApproximateAgeOfOldestMessage")
    return [
        graph(
            "Requests: accepted, finished, failed",
            "a minute",
            {name.lower(): measured.of_service(name) for name in ("Accepted", "Finished", "Failed")},
        ),
        graph(
            "From a request's creation to its end",
            "seconds",
            {"half of them": measured.of_service(end, "p50"), "99 of 100": measured.of_service(end, "p99")},
        ),
        graph(
            "Oldest message in the queue",
            "seconds",
            {"oldest": oldest},
            limit=measured.deployment.alarms.oldest_minutes * 60,
        ),
    ]


def _intake(intake: Intake, measured: Metrics) -> list[GraphWidget]:
    latency = "Latency"
    return [
        graph(
            "Answers, and those that refuse",
            "answers a minute",
            {"all": of_api(intake, "Count")},
            right={"the client's fault (4xx)": of_api(intake, "4xx"), "ours (5xx)": of_api(intake, "5xx")},
            right_unit="refused a minute",
        ),
        graph(
            "Time to an answer",
            "milliseconds",
            {"half of them": of_api(intake, latency, "p50"), "99 of 100": of_api(intake, latency, "p99")},
            limit=measured.deployment.alarms.latency_seconds * SECOND,
        ),
        graph(
            "Calls at once of the function api",
            "calls at once",
            {"most": of_function(intake.function, "ConcurrentExecutions", "Maximum")},
        ),
    ]


def _store(measured: Metrics) -> list[GraphWidget]:
    throttled = {
        "writes": measured.of_table("WriteThrottleEvents"),
        "reads": measured.of_table("ReadThrottleEvents"),
        "writes, for the index of what failed": measured.of_index("WriteThrottleEvents"),
    }
    return [
        graph(
            "Units that the table takes",
            "units a second",
            {kind: _a_second(kind, measured.of_table(f"Consumed{kind.title()}CapacityUnits")) for kind in UNITS},
        ),
        graph(
            "What the table refuses",
            "throttled a minute",
            throttled,
            right={"faults of DynamoDB": measured.system_errors()},
            right_unit="faults a minute",
        ),
        graph(
            "Time of one call to the table",
            "milliseconds",
            {
                operation: measured.of_table("SuccessfulRequestLatency", "p99", Operation=operation)
                for operation in metrics.OPERATIONS
            },
        ),
    ]


def _delivery(measured: Metrics) -> list[GraphWidget]:
    parts = measured.processing
    waiting, under_way = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"
    return [
        graph(
            "From the table to the queue",
            "milliseconds behind",
            {"the relay is behind": of_function(parts.relay, "IteratorAge", "Maximum")},
        ),
        graph(
            "Messages in the queue",
            "messages",
            {"wait": of_queue(parts.queue, waiting), "are worked on": of_queue(parts.queue, under_way)},
        ),
        graph(
            "Messages that went astray",
            "messages",
            {
                "dead letters": of_queue(parts.dead_letters, waiting),
                "given up by the relay": of_queue(parts.undelivered, waiting),
            },
        ),
    ]


def _workers(worker: Function, measured: Metrics) -> list[GraphWidget]:
    time = "Duration"
    return [
        graph(
            "Calls at once of the function worker",
            "calls at once",
            {"most": of_function(worker, "ConcurrentExecutions", "Maximum")},
            limit=measured.deployment.worker.concurrency,
            limit_is="as many as may be",
        ),
        graph(
            "Time of one call of the function worker",
            "milliseconds",
            {"half of them": of_function(worker, time, "p50"), "99 of 100": of_function(worker, time, "p99")},
        ),
        _failing(measured),
    ]


def _balanced(containers: InContainers, measured: Metrics) -> list[GraphWidget]:
    of, latency = containers.of_balancer, "TargetResponseTime"
    return [
        graph(
            "Answers, and those that refuse",
            "answers a minute",
            {"all": of("RequestCount")},
            right={"the client's fault (4xx)": of("HTTPCode_Target_4XX_Count"), "ours (5xx)": containers.errors()},
            right_unit="refused a minute",
        ),
        graph(
            "Time to an answer",
            "seconds",
            {"half of them": of(latency, "p50"), "99 of 100": of(latency, "p99")},
            limit=measured.deployment.alarms.latency_seconds,
        ),
        graph(
            "Tasks of the intake",
            "tasks",
            {"well": containers.of_targets("HealthyHostCount"), "ill": containers.of_targets("UnHealthyHostCount")},
        ),
    ]


def _tasks(containers: InContainers, measured: Metrics) -> list[GraphWidget]:
    both = {"intake": containers.api, "workers": containers.worker}
    return [
        graph("Tasks that run", "tasks", {part: metrics.running(service) for part, service in both.items()}),
        graph(
            "How busy and how full they are",
            "% of their processors",
            {f"{part}: processors": metrics.of_tasks(service, "CPUUtilization") for part, service in both.items()},
            right={
                f"{part}: memory": metrics.of_tasks(service, "MemoryUtilization", "Maximum")
                for part, service in both.items()
            },
            right_unit="% of the fullest one's memory",
        ),
        _failing(measured),
    ]


def _failing(measured: Metrics) -> GraphWidget:
    functions = measured.functions.items()
    return graph(
        "Functions that fail, or are not called",
        "failed a minute",
        {f"{part} fails": of_function(function, "Errors") for part, function in functions},
        right={f"{part} is throttled": of_function(function, "Throttles") for part, function in functions},
        right_unit="throttled a minute",
    )


def _volumes(measured: Metrics) -> list[GraphWidget]:
    logs = {f"log{number}": of_log(log, "IncomingBytes") for number, log in enumerate(measured.logs)}
    return [
        graph(
            f"What an hour of work costs, about, at the list prices of {spending.REGION}",
            "USD an hour",
            {"all": spending.hourly(measured)},
            period=HOUR,
        ),
        graph(
            "Requests, and units of the table",
            "requests an hour",
            {"requests": measured.of_service("Accepted")},
            right={kind: measured.of_table(f"Consumed{kind.title()}CapacityUnits") for kind in UNITS},
            right_unit="units an hour",
            period=HOUR,
        ),
        graph(
            "Time of functions, and bytes of logs",
            "GB-seconds an hour",
            {part: spending.gigabyte_seconds(part, function) for part, function in measured.functions.items()},
            right={"logs": metrics.total(logs, HOUR)},
            right_unit="bytes an hour",
            period=HOUR,
        ),
    ]


def _a_second(name: str, metric: Metric) -> Math:
    return metrics.math(f"{name} / PERIOD({name})", MINUTE, **{name: metric})
