import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from infra.costs.prices import Item
from infra.deployment import Alarms, Deployment, Profile, Table, Unfit, Worker

from acuse.entrypoints.lambdas.api import MAX_WAIT
from infra.costs import prices
from tests.infra.measured import PROFILES, Metric, assert_there, made_as
from tests.infra.stacks import Stacks, stacks

RUNBOOK = "docs/how-to/alarms.md"
RUNBOOK_TEXT = (Path(__file__).parents[2] / RUNBOOK).read_text()
EVERYWHERE = """
    dead-letters dead-letters-oldest end-duration end-errors end-throttles failed failed-share intake-error-share
    intake-errors intake-latency queue-oldest relay-age relay-duration relay-errors relay-silent relay-throttles
    table-errors table-throttled-reads table-throttled-writes table-writes undelivered
"""
ALARMS = {
    Profile.LAMBDA: """
        api-duration api-errors api-throttles worker-concurrency worker-duration worker-errors worker-throttles
    """,
    Profile.FARGATE: """
        intake-busy intake-memory intake-tasks intake-unhealthy worker-memory worker-tasks
    """,
}


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    return Profile(request.param)


@pytest.fixture
def made(profile: Profile) -> Stacks:
    return made_as(profile)


def alarms_of(made: Stacks) -> dict[str, dict[str, Any]]:
    """By their names, without that of the stack."""
    alarms = made.of_type("AWS::CloudWatch::Alarm").values()
    assert all(alarm["AlarmName"].startswith("acuse-service-") for alarm in alarms)
    return {alarm["AlarmName"].removeprefix("acuse-service-"): alarm for alarm in alarms}


def watched_by(alarm: dict[str, Any]) -> list[Metric]:
    """The metrics, from either form of an alarm."""
    stats = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one] or [alarm]
    return [
        Metric(one["Namespace"], one["MetricName"], {each["Name"]: each["Value"] for each in one["Dimensions"]})
        for one in stats
    ]


def expressions(metrics: list[dict[str, Any]]) -> Iterator[str]:
    """The formulas among the metrics of an alarm."""
    return (one["Expression"] for one in metrics if "Expression" in one)


def test_these_alarms_and_no_others_are_there(profile: Profile, made: Stacks) -> None:
    assert sorted(alarms_of(made)) == sorted(f"{EVERYWHERE} {ALARMS[profile]}".split())


def test_every_alarm_tells_the_topic(made: Stacks) -> None:
    (topic,) = made.of_type("AWS::SNS::Topic")
    for name, alarm in alarms_of(made).items():
        assert alarm["AlarmActions"] == [{"Ref": topic}], name
        assert alarm.get("ActionsEnabled", True), name


def test_every_alarm_says_what_missing_data_means(made: Stacks) -> None:
    for name, alarm in alarms_of(made).items():
        assert alarm["TreatMissingData"] in {"breaching", "notBreaching"}, name


def test_every_alarm_names_a_section_of_the_runbook(made: Stacks) -> None:
    sections = re.findall(r"^## (.+)$", RUNBOOK_TEXT, re.MULTILINE)
    named = set()
    for name, alarm in alarms_of(made).items():
        sentence, page, section = re.fullmatch(r"(.+\.) (\S+)#(\S+)", alarm["AlarmDescription"]).groups()  # type: ignore[union-attr]
        assert page == RUNBOOK, name
        assert section in sections, name
        assert len(sentence) > len(name), name
        named.add(section)
    assert named <= set(sections)


def test_the_runbook_has_no_section_that_no_alarm_names() -> None:
    volumes = stacks(Deployment(alarms=Alarms(requests_per_day=1, write_units_per_day=1)))
    alarms = [alarm for one in (volumes, *map(made_as, PROFILES)) for alarm in alarms_of(one).values()]
    named = {alarm["AlarmDescription"].rpartition("#")[2] for alarm in alarms}
    assert {*re.findall(r"^## (.+)$", RUNBOOK_TEXT, re.MULTILINE)} == {"What it costs", *named}


def test_every_alarm_looks_at_something_that_is_counted(made: Stacks) -> None:
    for alarm in alarms_of(made).values():
        for metric in watched_by(alarm):
            assert_there(metric, made)


def test_every_formula_of_an_alarm_has_its_operands(made: Stacks) -> None:
    for name, alarm in alarms_of(made).items():
        known = {one["Id"] for one in alarm.get("Metrics", [])}
        for formula in expressions(alarm.get("Metrics", [])):
            assert set(re.findall(r"\b[a-z]\w*\b", formula)) <= known, name


def test_a_function_that_nears_its_timeout_is_told_of_before_it_is_cut_off(made: Stacks) -> None:
    functions = made.of_type("AWS::Lambda::Function")
    found = [alarm for name, alarm in alarms_of(made).items() if name.endswith("-duration")]
    assert len(found) == len(functions)
    for alarm in found:
        (metric,) = watched_by(alarm)
        function = functions[metric.dimensions["FunctionName"]["Ref"]]
        assert alarm["Threshold"] < function["Timeout"] * 1_000
        if function["Handler"].endswith(".api.handler"):
            assert alarm["Threshold"] > MAX_WAIT.total_seconds() * 1_000, "a client that waits is no alarm"


def test_a_worker_is_busy_before_it_has_all_the_calls_that_it_may_have() -> None:
    for concurrency in (2, 1_000):
        alarms = alarms_of(stacks(Deployment(worker=Worker(concurrency=concurrency))))
        assert concurrency / 2 < alarms["worker-concurrency"]["Threshold"] < concurrency


def test_the_table_is_told_of_before_it_refuses() -> None:
    alarm = alarms_of(stacks(Deployment(table=Table(max_writes=1_000))))["table-writes"]

    assert alarm["Threshold"] == 0.8 * 1_000 * alarm["Period"]


def test_the_settings_decide_from_when_on_somebody_is_told() -> None:
    wanted = Alarms(
        oldest_minutes=7, latency_seconds=2.5, failed_percent=20, requests_per_day=1_000, write_units_per_day=9_000
    )
    alarms = alarms_of(stacks(Deployment(alarms=wanted, worker=Worker(seconds=60))))

    told = {name: alarms[name]["Threshold"] for name in ("queue-oldest", "intake-latency", "failed-share")}
    assert told == {"queue-oldest": 7 * 60, "intake-latency": 2_500, "failed-share": 20}
    assert alarms["requests-per-day"]["Threshold"] == 1_000
    assert alarms["write-units-per-day"]["Threshold"] == 9_000
    assert alarms["requests-per-day"]["Period"] == alarms["write-units-per-day"]["Period"] == 24 * 60 * 60


def test_no_latency_is_too_long_where_none_was_asked_for() -> None:
    assert "intake-latency" not in alarms_of(stacks(Deployment(alarms=Alarms(latency_seconds=0))))


def test_a_message_may_be_as_old_as_a_run_is_long() -> None:
    with pytest.raises(Unfit, match="oldest_minutes"):
        Deployment(worker=Worker(seconds=600), alarms=Alarms(oldest_minutes=10))


def test_no_alarm_asks_for_more_than_an_alarm_may(made: Stacks) -> None:
    for name, alarm in alarms_of(made).items():
        stats = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        period = max([one["Period"] for one in stats], default=alarm.get("Period", 0))
        hours = 24 if period < 60 * 60 else 7 * 24
        assert 0 < period * alarm["EvaluationPeriods"] <= hours * 60 * 60, name
        assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], name
        assert len(stats) <= 10, name
        assert len({one["Period"] for one in stats}) <= 1, name


def test_cloudwatch_may_say_what_it_has_to_say_over_the_topic_and_nobody_may_without_tls(made: Stacks) -> None:
    (topic,) = made.of_type("AWS::SNS::Topic").values()
    key = made.of_type("AWS::KMS::Key")[topic["KmsMasterKeyId"]["Fn::GetAtt"][0]]
    (policy,) = made.of_type("AWS::SNS::TopicPolicy").values()

    publish = statement_for("cloudwatch.amazonaws.com", policy["PolicyDocument"])
    use_key = statement_for("cloudwatch.amazonaws.com", key["KeyPolicy"])
    assert publish["Action"] == "sns:Publish"
    assert use_key["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert publish["Condition"] == use_key["Condition"]
    own = publish["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1].removeprefix(":alarm:")
    assert own == "acuse-service-*"
    assert publish["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    denied = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
    assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_whoever_has_an_address_is_told_by_e_mail() -> None:
    told = stacks(Deployment(alarm_email="ops@example.org")).of_type("AWS::SNS::Subscription").values()

    assert [(one["Protocol"], one["Endpoint"]) for one in told] == [("email", "ops@example.org")]
    assert not stacks(Deployment()).of_type("AWS::SNS::Subscription")


def test_the_runbook_says_what_the_alarms_cost(profile: Profile, made: Stacks) -> None:
    alarms = alarms_of(made)
    watched = sum(len(watched_by(alarm)) for alarm in alarms.values())
    each = prices.read().region("eu-west-1")[Item.ALARM].first

    assert f"| profile `{profile}` | {len(alarms)} | {watched} | ${watched * each:.2f} |" in RUNBOOK_TEXT


def statement_for(service: str, policy: dict[str, Any]) -> dict[str, Any]:
    """The only one that allows the service something."""
    (found,) = (one for one in policy["Statement"] if one["Principal"] == {"Service": service})
    assert found["Effect"] == "Allow"
    return dict(found)
