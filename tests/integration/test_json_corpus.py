"""Odd JSON over a real socket: the same verdicts, as statuses."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.clock import SystemClock
from acuse.adapters.memory import Memory, MemoryStore
from tests.integration.server import served
from tests.json_corpus.decided import DECIDED
from tests.json_corpus.refused import REFUSED
from tests.json_corpus.taken import TAKEN
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATH = "/v1/requests"
ALL = {
    **{name: (text, 201) for name, text in TAKEN.items()},
    **{name: (text, 400) for name, text in REFUSED.items()},
    **{name: (one.text, 201 if one.taken else 400) for name, one in DECIDED.items()},
}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with (
        served(MemoryStore(Memory(SystemClock()))) as address,
        httpx.Client(base_url="http://{}:{}".format(*address)) as made,
    ):
        yield made


def post(client: httpx.Client, content: bytes, media_type: str = "application/json") -> httpx.Response:
    return client.post(PATH, content=content, headers={"content-type": media_type})


def request(text: bytes) -> bytes:
    return b'{"id":"%b","action":"delay","x":%b}' % (new_id().encode(), text)


def differing(found: Mapping[str, int], expected: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {name: (status, expected[name]) for name, status in found.items() if status != expected[name]}


def test_a_request_with_odd_json_is_created_or_malformed(client: httpx.Client) -> None:
    bodies = {name: request(text) for name, (text, _) in ALL.items()}

    answers = {name: post(client, body) for name, body in bodies.items()}

    expected = {name: status for name, (_, status) in ALL.items()}
    assert not differing({name: answer.status_code for name, answer in answers.items()}, expected)
    for name, answer in answers.items():
        if answer.status_code == 201:
            sent, kept = (json.loads(one, parse_float=Decimal) for one in (bodies[name], answer.content))
            assert kept["x"] == sent["x"]


def test_odd_json_that_is_no_request_is_invalid_or_an_array_of_items(client: httpx.Client) -> None:
    expected = {name: 207 if text.strip()[:1] == b"[" else 422 for name, text in TAKEN.items()}

    found = {name: post(client, text).status_code for name, text in TAKEN.items()}

    assert not differing(found, expected)


def test_what_is_not_json_is_malformed(client: httpx.Client) -> None:
    found = {name: post(client, text).status_code for name, text in REFUSED.items()}

    assert not differing(found, dict.fromkeys(REFUSED, 400))


def test_an_odd_line_is_judged_alone(client: httpx.Client) -> None:
    lines = {name: request(text) for name, (text, _) in ALL.items() if b"\n" not in text}

    answer = post(client, b"\n".join(lines.values()), "application/x-ndjson")

    *items, last = map(json.loads, answer.content.splitlines())
    found = dict(zip(lines, (item["status"] for item in items), strict=True))
    assert not differing(found, {name: ALL[name][1] for name in lines})
    assert last["totals"]["items"] == len(lines)


def test_an_odd_element_is_judged_alone_where_the_array_is_json(client: httpx.Client) -> None:
    elements = {name: request(text) for name, (text, status) in ALL.items() if status == 201}

    answer = post(client, b"[%b]" % b" ,\n".join(elements.values()))

    found = dict(zip(elements, (item["status"] for item in answer.json()["items"]), strict=True))
    assert not differing(found, dict.fromkeys(elements, 201))


def test_an_element_that_is_not_json_makes_the_array_malformed(client: httpx.Client) -> None:
    found = {name: post(client, b"[%b]" % request(text)).status_code for name, text in REFUSED.items()}

    assert not differing(found, dict.fromkeys(REFUSED, 400))
