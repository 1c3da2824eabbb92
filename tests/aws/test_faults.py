"""Each fault does to a client of the local AWS what it says, and nothing else."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from infra.local_aws import REGION

from tests.aws import faults
from tests.aws.faults import Broken, BrokenAfter, FaultProxy, PartlyThrottled, SlowAfter, SlowBefore
from tests.aws.local import local_aws

ONE, TWO = TABLES = ("faults-one", "faults-two")
LONG = 30.0
SOON = 5.0


@pytest.fixture(scope="module")
def dynamodb() -> Any:
    """A client past the proxy, and the tables."""
    client = local_aws().client("dynamodb")
    for table in TABLES:
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return client


@pytest.fixture
def sqs() -> Any:
    return local_aws().client("sqs")


@pytest.fixture
def queue(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName=f"faults-{uuid4()}")["QueueUrl"])


@pytest.fixture
def proxy(dynamodb: Any) -> Iterator[FaultProxy]:  # noqa: ARG001  (its tables)
    with FaultProxy(local_aws().url) as proxy:
        yield proxy


@pytest.fixture
def wire(proxy: FaultProxy) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(proxy.url.removeprefix("http://"), timeout=LONG)) as wire:
        yield wire


def via(proxy: FaultProxy, service: str, patience: float = LONG) -> Any:
    """A client that tries once."""
    return boto3.client(
        service,
        endpoint_url=proxy.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106  (there is no secret)
        config=Config(retries={"total_max_attempts": 1}, read_timeout=patience, max_pool_connections=50),
    )


def ask(wire: HTTPConnection, operation: str, wanted: Any) -> tuple[int, dict[str, str], bytes]:
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    wire.request("POST", "/", json.dumps(wanted), headers)
    response = wire.getresponse()
    return response.status, dict(response.getheaders()), response.read()


def statuses(wire: HTTPConnection, *operations: str) -> list[int]:
    return [ask(wire, operation, {"TableName": ONE, "Key": key("a")})[0] for operation in operations]


def key(name: str) -> dict[str, dict[str, str]]:
    return {"id": {"S": name}}


def fresh(count: int) -> list[str]:
    return [str(uuid4()) for _ in range(count)]


def put(client: Any, name: str) -> None:
    client.put_item(TableName=ONE, Item=key(name))


def there(dynamodb: Any, *names: str) -> list[bool]:
    return ["Item" in dynamodb.get_item(TableName=ONE, Key=key(name), ConsistentRead=True) for name in names]


def inserts(*names: str) -> list[Any]:
    return [{"Statement": f"INSERT INTO \"{ONE}\" VALUE {{'id': ?}}", "Parameters": [{"S": name}]} for name in names]


def received(sqs: Any, queue: str, hidden: int = 0) -> dict[str, str]:
    """The receipts of the messages that nobody holds, each by its text."""
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=hidden)
    return {message["Body"]: message["ReceiptHandle"] for message in answer.get("Messages", ())}


def parts(answer: Any) -> tuple[list[str], list[tuple[str, bool, str]]]:
    failed = [(entry["Id"], entry["SenderFault"], entry["Code"]) for entry in answer["Failed"]]
    return [entry["Id"] for entry in answer["Successful"]], failed


def failure(call: Callable[..., object], **options: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**options)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_a_call_without_a_fault_goes_through_unchanged(dynamodb: Any, proxy: FaultProxy, wire: HTTPConnection) -> None:
    [name] = fresh(1)
    put(via(proxy, "dynamodb"), name)
    assert there(dynamodb, name) == [True]
    for table, status in ((ONE, 200), ("faults-none", 400)):
        wanted = {"TableName": table, "Key": key(name)}
        with closing(HTTPConnection(local_aws().url.removeprefix("http://"))) as past:
            direct = ask(past, "GetItem", wanted)
        proxied = ask(wire, "GetItem", wanted)
        assert (proxied[0], proxied[2]) == (direct[0], direct[2])
        assert proxied[1].keys() == direct[1].keys()
        assert proxied[1]["x-amz-crc32"] == direct[1]["x-amz-crc32"]
        assert proxied[0] == status
    assert (proxy.calls, proxy.met) == (["PutItem", "GetItem", "GetItem"], 0)


def test_what_concerns_one_connection_alone_is_not_passed_on() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        FaultProxy(f"http://127.0.0.1:{server.getsockname()[1]}") as proxy,
        ThreadPoolExecutor(1) as threads,
        closing(HTTPConnection(proxy.url.removeprefix("http://"), timeout=LONG)) as wire,
    ):
        headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "X-Own": "as it is", "TE": "trailers"}
        threads.submit(wire.request, "POST", "/path?query", b"body", headers).result(SOON)
        line, _ = server.accept()
        with line, line.makefile("rwb") as stream:
            start, *passed_on = iter(stream.readline, b"\r\n")
            stream.write(
                b"HTTP/1.1 299 Odd\r\nContent-Length: 4\r\nKeep-Alive: 5\r\nX-Own: too\r\n\r\n" + stream.read(4)
            )
        answer = wire.getresponse()
        assert (answer.status, answer.getheaders()) == (299, [("X-Own", "too"), ("Content-Length", "4")])
        assert answer.read() == b"body"
    assert start == b"POST /path?query HTTP/1.1\r\n"
    host = f"Host: {proxy.url.removeprefix('http://')}\r\n".encode()
    own = [b"Accept-Encoding: identity\r\n", b"Content-Length: 4\r\n", b"X-Own: as it is\r\n"]
    assert sorted(passed_on) == sorted([*own, host, b"X-Amz-Target: AmazonSQS.SendMessage\r\n"])


def test_the_connection_is_kept_through_errors(proxy: FaultProxy, wire: HTTPConnection) -> None:
    proxy.plan("GetItem", None, Broken(), faults.Throttle(), BrokenAfter())
    assert statuses(wire, "GetItem") == [200]
    first = wire.sock
    assert first is not None
    assert statuses(wire, *["GetItem"] * 4) == [500, 400, 500, 200]
    assert wire.sock is first
    [kept] = proxy._open
    assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_throttled_call_is_refused_in_the_words_of_its_service(
    dynamodb: Any, sqs: Any, queue: str, proxy: FaultProxy
) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", faults.Throttle())
    proxy.plan("SendMessage", faults.Throttle())
    refused = failure(put, client=via(proxy, "dynamodb"), name=name)
    assert refused == ("ProvisionedThroughputExceededException", 400)
    refused = failure(via(proxy, "sqs").send_message, QueueUrl=queue, MessageBody="a")
    assert refused == ("RequestThrottled", 400)
    assert there(dynamodb, name) == [False]
    assert received(sqs, queue) == {}
    assert proxy.met == 2


@pytest.mark.parametrize(("fault", "lands"), [(Broken(), False), (BrokenAfter(), True), (BrokenAfter(503), True)])
def test_a_broken_call_fails_before_or_after_its_effect(
    dynamodb: Any, proxy: FaultProxy, fault: Broken | BrokenAfter, *, lands: bool
) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", fault)
    assert failure(put, client=via(proxy, "dynamodb"), name=name) == ("InternalServerError", fault.status)
    assert there(dynamodb, name) == [lands]
    assert proxy.met == 1


@pytest.mark.parametrize(("fault", "lands"), [(faults.ResetBefore(), False), (faults.ResetAfter(), True)])
def test_a_reset_loses_the_call_or_its_answer(
    dynamodb: Any, proxy: FaultProxy, wire: HTTPConnection, fault: faults.Fault, *, lands: bool
) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", fault, fault)
    with pytest.raises(ConnectionClosedError):
        put(via(proxy, "dynamodb"), name)
    assert there(dynamodb, name) == [lands]
    with pytest.raises(ConnectionResetError) as caught:
        statuses(wire, "PutItem")
    # Its subclass RemoteDisconnected stands for a connection that was closed in peace.
    assert type(caught.value) is ConnectionResetError
    assert proxy.met == 2


@pytest.mark.parametrize("fault", [SlowBefore(0.3), SlowAfter(0.3)])
def test_a_slow_call_answers_late(dynamodb: Any, proxy: FaultProxy, fault: faults.Fault) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", fault)
    began = time.monotonic()
    put(via(proxy, "dynamodb"), name)
    assert time.monotonic() - began >= 0.3
    assert there(dynamodb, name) == [True]


def test_a_call_slow_before_its_effect_lands_after_its_client_gave_up(dynamodb: Any, proxy: FaultProxy) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", SlowBefore(1.5))
    with pytest.raises(ReadTimeoutError):
        put(via(proxy, "dynamodb", patience=0.1), name)
    assert there(dynamodb, name) == [False]
    eventually(lambda: there(dynamodb, name) == [True])


def test_a_call_slow_after_its_effect_has_it_at_once(dynamodb: Any, proxy: FaultProxy) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", SlowAfter(LONG))
    with pytest.raises(ReadTimeoutError):
        put(via(proxy, "dynamodb", patience=0.1), name)
    eventually(lambda: there(dynamodb, name) == [True])
    assert proxy.met == 1


def test_statements_are_throttled_in_part(dynamodb: Any, proxy: FaultProxy) -> None:
    names = fresh(4)
    put(dynamodb, names[2])
    proxy.plan("BatchExecuteStatement", PartlyThrottled({0, 2}))
    responses = via(proxy, "dynamodb").batch_execute_statement(Statements=inserts(*names))["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [None, "ProvisionedThroughputExceeded", "DuplicateItem", "ProvisionedThroughputExceeded"]
    assert there(dynamodb, *names) == [True, False, True, False]
    assert proxy.met == 1


def test_keys_are_throttled_in_part(dynamodb: Any, proxy: FaultProxy) -> None:
    a, b, c = fresh(3)
    for table in TABLES:
        for name in (a, b, c):
            dynamodb.put_item(TableName=table, Item={**key(name), "more": {"S": table}})
    how = {"ConsistentRead": True, "ProjectionExpression": "id"}
    proxy.plan("BatchGetItem", PartlyThrottled({1, 3, 4}))
    asked = {table: {"Keys": [key(a), key(b), key(c)], **how} for table in TABLES}
    answer = via(proxy, "dynamodb").batch_get_item(RequestItems=asked)
    assert answer["Responses"] == {ONE: [key(b)], TWO: [key(a), key(b)]}
    assert answer["UnprocessedKeys"] == {ONE: {"Keys": [key(a), key(c)], **how}, TWO: {"Keys": [key(c)], **how}}


def test_keys_that_were_left_already_stay_so(dynamodb: Any, proxy: FaultProxy) -> None:
    a, b, c = fresh(3)
    put(dynamodb, a)
    proxy.plan("BatchGetItem", PartlyThrottled({0}))
    with FaultProxy(proxy.url) as second:
        second.plan("BatchGetItem", PartlyThrottled({0, 1, 3}))
        asked = {ONE: {"Keys": [key(a), key(b), key(c)]}, TWO: {"Keys": [key(a)]}}
        answer = via(second, "dynamodb").batch_get_item(RequestItems=asked)
    assert answer["Responses"] == {ONE: [key(a)]}
    assert answer["UnprocessedKeys"] == {ONE: {"Keys": [key(c), key(b)]}, TWO: {"Keys": [key(a)]}}


def test_messages_are_sent_in_part(sqs: Any, queue: str, proxy: FaultProxy) -> None:
    proxy.plan("SendMessageBatch", PartlyThrottled([1]))
    entries = [{"Id": text, "MessageBody": text} for text in "abc"]
    answer = via(proxy, "sqs").send_message_batch(QueueUrl=queue, Entries=entries)
    assert parts(answer) == (["b"], [("a", False, "InternalError"), ("c", False, "InternalError")])
    assert received(sqs, queue).keys() == {"b"}


def test_messages_are_deleted_in_part_beside_those_that_really_fail(sqs: Any, queue: str, proxy: FaultProxy) -> None:
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": text, "MessageBody": text} for text in "ab"])
    entries = [{"Id": text, "ReceiptHandle": receipt} for text, receipt in sorted(received(sqs, queue).items())]
    entries.append({"Id": "c", "ReceiptHandle": "none"})
    proxy.plan("DeleteMessageBatch", PartlyThrottled([0, 2]))
    answer = via(proxy, "sqs").delete_message_batch(QueueUrl=queue, Entries=entries)
    assert parts(answer) == (["a"], [("c", True, "ReceiptHandleIsInvalid"), ("b", False, "InternalError")])
    assert received(sqs, queue).keys() == {"b"}


def test_messages_change_their_visibility_in_part(sqs: Any, queue: str, proxy: FaultProxy) -> None:
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": text, "MessageBody": text} for text in "ab"])
    held = sorted(received(sqs, queue, hidden=600).items())
    entries = [{"Id": text, "ReceiptHandle": receipt, "VisibilityTimeout": 0} for text, receipt in held]
    proxy.plan("ChangeMessageVisibilityBatch", PartlyThrottled([1]))
    answer = via(proxy, "sqs").change_message_visibility_batch(QueueUrl=queue, Entries=entries)
    assert parts(answer) == (["b"], [("a", False, "InternalError")])
    assert received(sqs, queue).keys() == {"b"}


def test_a_batch_of_which_nothing_is_kept_is_not_forwarded(
    dynamodb: Any, sqs: Any, queue: str, proxy: FaultProxy
) -> None:
    [name] = fresh(1)
    for operation in ("BatchExecuteStatement", "BatchGetItem", "SendMessageBatch"):
        proxy.always(operation, PartlyThrottled(()))
    client = via(proxy, "dynamodb")
    [response] = client.batch_execute_statement(Statements=inserts(name))["Responses"]
    assert response["Error"]["Code"] == "ProvisionedThroughputExceeded"
    asked = {ONE: {"Keys": [key(name)]}}
    answer = client.batch_get_item(RequestItems=asked)
    assert (answer["Responses"], answer["UnprocessedKeys"]) == ({}, asked)
    answer = via(proxy, "sqs").send_message_batch(QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "a"}])
    assert parts(answer) == ([], [("a", False, "InternalError")])
    assert there(dynamodb, name) == [False]
    assert received(sqs, queue) == {}
    assert proxy.met == 3


def test_a_batch_of_which_all_is_kept_meets_no_fault(dynamodb: Any, proxy: FaultProxy, wire: HTTPConnection) -> None:
    [name] = fresh(1)
    proxy.plan("BatchExecuteStatement", PartlyThrottled(range(25)))
    status, headers, _ = ask(wire, "BatchExecuteStatement", {"Statements": inserts(name)})
    assert (status, "x-amz-crc32" in headers, proxy.met) == (200, True, 0)
    assert there(dynamodb, name) == [True]


def test_a_real_refusal_of_what_is_kept_goes_through(proxy: FaultProxy) -> None:
    proxy.plan("BatchGetItem", PartlyThrottled({0}))
    asked = {"faults-none": {"Keys": [key("a"), key("b")]}}
    refused = failure(via(proxy, "dynamodb").batch_get_item, RequestItems=asked)
    assert refused == ("ResourceNotFoundException", 400)


def test_faults_are_met_in_their_order_by_their_operation_alone(proxy: FaultProxy, wire: HTTPConnection) -> None:
    proxy.plan("GetItem", Broken(501), None)
    proxy.plan("GetItem", Broken(502))
    operations = ["DeleteItem", "GetItem", "GetItem", "DeleteItem", "GetItem", "GetItem"]
    assert statuses(wire, *operations) == [200, 501, 200, 200, 502, 200]
    assert (proxy.calls, proxy.met) == (operations, 2)


def test_what_is_always_met_comes_after_the_plan_until_cleared(proxy: FaultProxy, wire: HTTPConnection) -> None:
    proxy.always("GetItem", Broken(502))
    proxy.plan("GetItem", Broken(501), None)
    assert statuses(wire, *["GetItem"] * 4) == [501, 200, 502, 502]
    proxy.plan("GetItem", Broken(501))
    proxy.clear()
    assert statuses(wire, "GetItem") == [200]
    assert proxy.met == 3


def test_calls_at_once_share_the_plan(dynamodb: Any, proxy: FaultProxy) -> None:
    proxy.plan("PutItem", *[Broken(), None, faults.ResetAfter()] * 20)
    client = via(proxy, "dynamodb")
    names = fresh(90)

    def attempt(name: str) -> str:
        try:
            put(client, name)
        except (ClientError, ConnectionClosedError) as error:
            return type(error).__name__
        return "through"

    with ThreadPoolExecutor(30) as threads:
        outcomes = list(threads.map(attempt, names))
    counted = {outcome: outcomes.count(outcome) for outcome in outcomes}
    assert counted == {"InternalServerError": 20, "ConnectionClosedError": 20, "through": 50}
    landed = [outcome != "InternalServerError" for outcome in outcomes]
    assert there(dynamodb, *names) == landed
    assert (len(proxy.calls), proxy.met) == (90, 40)


def test_stopping_ends_everything_at_once(dynamodb: Any, queue: str, proxy: FaultProxy) -> None:
    [name] = fresh(1)
    proxy.plan("PutItem", SlowBefore(LONG))
    proxy.plan("GetItem", SlowAfter(LONG))
    address = ("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=LONG) as idle, ThreadPoolExecutor(3) as threads:
        calls = [
            threads.submit(put, via(proxy, "dynamodb"), name),
            threads.submit(via(proxy, "dynamodb").get_item, TableName=ONE, Key=key("a")),
            threads.submit(via(proxy, "sqs").receive_message, QueueUrl=queue, WaitTimeSeconds=20),
        ]
        eventually(lambda: sorted(proxy.calls) == ["GetItem", "PutItem", "ReceiveMessage"])
        began = time.monotonic()
        proxy.stop()
        assert [type(call.exception(timeout=SOON)) for call in calls] == [ConnectionClosedError] * 3
        assert time.monotonic() - began < SOON
        assert proxy._open == set()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionAbortedError), proxy.held(idle):
            pytest.fail("a socket is used after the stop")
    assert there(dynamodb, name) == [False]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
