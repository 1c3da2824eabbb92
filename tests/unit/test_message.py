from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from acuse.adapters.aws.message import Message, decode, encode, receipt_of, turn_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def test_it_comes_back_as_it_was_sent_and_says_no_more_than_it_must() -> None:
    message = Message(id="x", action="delay", part=3, turn=2, made=1, was_cut_off=True, due_at=NOW)

    assert decode(encode(message)) == message
    assert encode(Message(id="x", action="delay")) == b'{"id":"x","action":"delay"}'


def test_a_delivery_carries_its_turn_and_its_receipt() -> None:
    delivery = Message(id="x", action="delay", turn=7, made=2).delivery("a receipt", 1)

    assert (turn_of(delivery.token), receipt_of(delivery.token)) == (7, "a receipt")
    assert (delivery.attempt, delivery.was_cut_off) == (3, False)


def test_one_that_was_received_before_was_cut_off() -> None:
    assert Message(id="x", action="delay").delivery("r", 2).was_cut_off


@pytest.mark.parametrize(("charged", "made"), [(True, 3), (False, 2)])
def test_what_is_given_back_in_order_keeps_count(*, charged: bool, made: int) -> None:
    message = Message(id="x", action="delay", made=1)

    released = message.released(message.delivery("r", 2), LATER, charged=charged)

    assert released == Message(id="x", action="delay", made=made, due_at=LATER)


def test_what_is_turned_back_was_not_attempted_but_stays_suspect() -> None:
    message = Message(id="x", action="delay", made=1)

    assert message.turned_back(message.delivery("r", 1), NOW) == message
    turned_back = message.turned_back(message.delivery("r", 3), NOW)
    assert turned_back == Message(id="x", action="delay", made=3, was_cut_off=True)
    assert turned_back.delivery("r", 1).was_cut_off


def test_before_it_is_due_no_receive_counts() -> None:
    message = Message(id="x", action="delay", made=1, due_at=LATER)

    assert message.turned_back(message.delivery("r", 5), NOW) == message


@pytest.mark.parametrize(
    "body",
    [
        b"what?",
        b"[]",
        b'{"id":"x"}',
        b'{"id":"","action":"delay"}',
        b'{"id":"x","action":"delay","part":-1}',
        b'{"id":"x","action":"delay","made":"1"}',
        b'{"id":"x","action":"delay","due_at":"2026-01-01T00:00:00"}',
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode(body)
