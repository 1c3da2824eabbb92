"""What is deployed is used where every permission is asked for: what the templates grant is enough, and is needed."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from infra.local_aws import ACCOUNT, CREDENTIALS, REGION

from acuse.adapters.aws import calls
from acuse.adapters.aws.message import Message
from acuse.client import Busy, Refused
from acuse.domain.errors import StoreUnavailable
from acuse.domain.finding import Level
from acuse.domain.listing import Filter
from acuse.domain.record import Status
from acuse.domain.tally import SPAN, Tally, span_of
from tests.acceptance.service import until
from tests.aws.local import LocalAws
from tests.deployed.stage import HIDDEN_SECONDS, NOT_MADE, SERVICE, STORAGE, Stage, edited
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from infra.deploy_assembly import Template

AT_ONCE = timedelta(seconds=0.1)
FAILED = Filter(status=Status.FAILED)
CHANGE = """UPDATE "{table}" SET "a" = 1 WHERE "id" = ? AND "_part" = -1"""


@pytest.fixture(scope="module")
def stage(templates: list[Template]) -> Iterator[Stage]:
    """Its client is a user who may invoke the API and nothing else."""
    aws = LocalAws(still=True, AUTH="true")
    made = Stage(aws)
    made.deploy(templates)
    api = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{made.output(SERVICE, 'ApiId')}/$default/POST/v1/requests"
    made.identity = _user(aws, "client", {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": api})
    yield made
    aws.stop()


@pytest.fixture
def take(stage: Stage, templates: list[Template], tmp_path: Path) -> Callable[[str, str], None]:
    """Updates the stack with templates in which a role may not do one thing."""

    def taken(role: str, action: str) -> None:
        stage.deploy(edited(templates, SERVICE, tmp_path, lambda template: _forbid(template, role, action)))

    return taken


@pytest.fixture
def restore(stage: Stage, templates: list[Template]) -> Iterator[Callable[[], None]]:
    """Updates the stack with the templates as they are."""

    def restored() -> None:
        stage.deploy(templates)

    yield restored
    restored()


def test_whole_requests_and_split_ones_end_with_what_the_templates_grant(stage: Stage) -> None:
    assert stage.submit("echo", text="é")["result"]["text"] == "é"
    assert stage.submit("sums", upto=30)["result"] == {"sum": 465}


def test_a_dead_letter_is_ended_with_what_the_templates_grant(stage: Stage, tmp_path: Path) -> None:
    poisoned = stage.accept("takes-down", book=str(tmp_path / "book"))

    assert stage.ended(poisoned, passing=HIDDEN_SECONDS)["error"]["reason"] == "abandoned"


def test_only_who_may_invoke_the_api_is_let_in(stage: Stage) -> None:
    client = stage.identity
    nobody = {**client, "AWS_ACCESS_KEY_ID": "AKIA0000000000000000"}
    forger = {**client, "AWS_SECRET_ACCESS_KEY": "guessed"}
    stranger = _user(stage.aws, "stranger")

    for identity in (nobody, forger, stranger):
        with stage.client(identity=identity) as refused, pytest.raises(Refused) as raised:
            refused.submit({"action": "echo"})
        assert raised.value.problem.status == 403


@pytest.mark.parametrize(("action", "is_new"), [("dynamodb:PartiQLInsert", True), ("dynamodb:BatchGetItem", False)])
def test_the_api_says_to_come_back_without_a_permission(
    stage: Stage,
    take: Callable[[str, str], None],
    restore: Callable[[], None],
    action: str,
    is_new: bool,  # noqa: FBT001
) -> None:
    request = {"id": new_id(), "action": "echo"} if is_new else stage.accept("echo")

    take("IntakeApi", action)

    with stage.client(patience=AT_ONCE) as client, pytest.raises(Busy):
        client.submit(request)
    assert stage.aws.has_denied("IntakeApi", action)
    restore()
    assert stage.ended(request)["status"] == "finished"


@pytest.mark.parametrize(
    ("function", "action", "members"),
    [
        ("ProcessingRelay", "sqs:SendMessage", {"action": "echo"}),
        ("Worker", "dynamodb:BatchGetItem", {"action": "echo"}),
        ("Worker", "dynamodb:PartiQLInsert", {"action": "sums", "upto": 3}),
        ("Worker", "dynamodb:PartiQLUpdate", {"action": "echo"}),
        ("Worker", "dynamodb:UpdateItem", {"action": "sums", "upto": 3}),
    ],
)
def test_a_request_waits_for_a_permission_that_its_processing_lacks(
    stage: Stage,
    take: Callable[[str, str], None],
    restore: Callable[[], None],
    function: str,
    action: str,
    members: Mapping[str, Any],
) -> None:
    take(function, action)
    request = stage.accept(**members)
    until(lambda: stage.aws.has_denied(function, action), "the refusal")
    assert stage.record(request)["status"] == "accepted"

    restore()

    assert stage.ended(request, passing=1.0)["status"] == "finished"


def test_a_request_is_worked_off_by_a_relay_that_may_not_count(
    stage: Stage, take: Callable[[str, str], None], restore: Callable[[], None]
) -> None:
    take("ProcessingRelay", "dynamodb:PutItem")

    def refused() -> bool:
        """It begins an item every ten seconds."""
        assert stage.submit("echo")["status"] == "finished"
        return stage.aws.has_denied("ProcessingRelay", "dynamodb:PutItem")

    until(refused, "the refusal")
    restore()


def test_who_may_do_what_the_relay_may_writes_tallies_and_no_request(stage: Stage, templates: list[Template]) -> None:
    request = stage.accept("echo")
    table = stage.output(STORAGE, "TableName")
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    [counts] = (one for one in _statements(templates, "ProcessingRelay") if "dynamodb:UpdateItem" in one["Action"])
    identity = _user(stage.aws, "counts", {**counts, "Resource": arn})

    with stage.backend(identity) as backend:
        now = datetime.now(UTC)
        backend.tallies.add([Tally(at=span_of(now), action="a", status=Status.FAILED, bound=0, count=1)])
        with pytest.raises(StoreUnavailable, match="AccessDenied"):
            backend.keyring.revoke("a", now)
        for id_ in (request["id"], "_tally", "_keys"):
            with pytest.raises(ClientError, match="AccessDenied"):
                calls.client("dynamodb", in_flight=1).put_item(
                    TableName=table, Item={"id": {"S": id_}, "_part": {"N": "0"}}
                )


def test_an_operator_looks_and_retries_with_the_policy_of_the_stack_and_makes_no_keys(stage: Stage) -> None:
    failed, split = stage.accept("misbehaves", how="refuses"), stage.accept("sums", upto=1, bad=1)
    assert {stage.ended(one, passing=1.0)["status"] for one in (failed, split)} == {"failed"}
    table = stage.output(STORAGE, "TableName")
    identity = _user(stage.aws, "operator")
    with closing(stage.aws.client("iam")) as iam:
        iam.attach_user_policy(UserName="operator", PolicyArn=stage.output(SERVICE, "OperatorsPolicy"))

    with stage.backend(identity) as backend:
        assert failed["id"] in [one.id for one in backend.overview.find(FAILED, 100, None).records]
        assert backend.overview.find(Filter(action="misbehaves"), 100, None).records
        assert backend.overview.backlog().actions is None
        assert backend.overview.tallies(datetime.now(UTC) - SPAN) is not None
        assert {one.subject for one in backend.examine() if one.level is not Level.OK} <= NOT_MADE
        assert not any("may not see" in one.detail for one in backend.examine())
        assert backend.store.reopen([failed["id"], split["id"]]) == [True, True]
        with pytest.raises(StoreUnavailable, match="AccessDenied"):
            backend.keyring.revoke("a", datetime.now(UTC))
        with pytest.raises(StoreUnavailable, match="AccessDenied"):
            backend.outbox.send([Message(id=failed["id"], action="misbehaves")], timedelta(0))
        dynamodb = calls.client("dynamodb", in_flight=1)
        for id_ in ("_keys", "_tally0", "concurrency of alone"):
            statement = CHANGE.format(table=table)
            with pytest.raises(ClientError, match="AccessDenied"):
                dynamodb.batch_execute_statement(Statements=[{"Statement": statement, "Parameters": [{"S": id_}]}])
            with pytest.raises(ClientError, match="AccessDenied"):
                dynamodb.update_item(TableName=table, Key={"id": {"S": id_}, "_part": {"N": "-1"}})
    assert {stage.ended(one, passing=1.0)["status"] for one in (failed, split)} == {"failed"}


def _statements(templates: list[Template], role: str) -> list[dict[str, Any]]:
    """What the policy of the role says."""
    [template] = (one for one in templates if one.stack == SERVICE)
    [asset] = (one for one in template.assets if one.key == template.key)
    resources = json.loads(asset.source.read_text())["Resources"]
    (name,) = (name for name in resources if name.startswith(f"{role}RoleDefaultPolicy"))
    found: list[dict[str, Any]] = resources[name]["Properties"]["PolicyDocument"]["Statement"]
    return found


def _forbid(template: dict[str, Any], role: str, action: str) -> None:
    (name,) = (name for name in template["Resources"] if name.startswith(f"{role}RoleDefaultPolicy"))
    document = template["Resources"][name]["Properties"]["PolicyDocument"]
    before = json.dumps(document)
    for statement in document["Statement"]:
        named = statement["Action"]
        statement["Action"] = [one for one in ([named] if isinstance(named, str) else named) if one != action]
    document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]
    assert json.dumps(document) != before


def _user(aws: LocalAws, name: str, *may: Mapping[str, str]) -> dict[str, str]:
    """The credentials of a new user who may do that."""
    with closing(aws.client("iam")) as iam:
        iam.create_user(UserName=name)
        if may:
            policy = json.dumps({"Version": "2012-10-17", "Statement": may})
            iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        **CREDENTIALS,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
