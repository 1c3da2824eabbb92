"""A client that notes what it sends and what it is told."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from acuse.domain.record import Key
from acuse.domain.submission import parse
from tests.power.ledger import State
from tests.requests import body

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from acuse.domain.submission import Submission
    from tests.power.witness import Witness

PATH = "/v1/requests"
JSON = {"content-type": "application/json"}
NDJSON = {"content-type": "application/x-ndjson"}
STRICT = {"prefer": "handling=strict"}
SIZES = (0, 100, 600, 6_000)
"""Characters of notes: some fill a part of a page, some need pages of their own."""

Sent = tuple["Submission", int]
"""With the number of its state."""


class Client:
    """Sends requests of its own, and now and then again what it or another has sent."""

    def __init__(self, url: str, witness: Witness, sent: list[Sent], random: Random) -> None:
        self._url = url
        self._witness = witness
        self._sent = sent
        self._random = random

    def send(self, count: int) -> None:
        """So many new requests were sent and answered."""
        with httpx.Client(base_url=self._url, timeout=60) as http:
            while count > 0:
                kind = self._random.choice(["one", "one", "lines", "array", "strict"])
                size = 1 if kind == "one" else min(count, self._random.randint(1, 40))
                items = self._items(size, is_strict=kind == "strict")
                count -= size
                for (submission, number), record in zip(items, self._post(http, kind, items), strict=True):
                    self._note(submission, number, record)

    def _items(self, size: int, *, is_strict: bool) -> list[Sent]:
        """Of all or none nobody else knows before they are answered: else they may be stored one by one."""
        random = self._random
        items: list[Sent] = []
        fresh: list[Sent] = []
        for _ in range(size):
            if self._sent and not random.randrange(8):
                items.append(random.choice(self._sent))
                continue
            items.append(self._new())
            (fresh if is_strict else self._sent).append(items[-1])
        if fresh:
            self._witness.together(tuple(Key(submission.id) for submission, _ in fresh))
        return items

    def _new(self) -> Sent:
        random = self._random
        plan = {"plan": random.randrange(5)} if not random.randrange(4) else {}
        submission = parse(body(note="x" * random.randrange(random.choice(SIZES) + 1), **plan))
        return submission, self._witness.begin(Key(submission.id), State(content=submission.body))

    def _post(self, http: httpx.Client, kind: str, items: Sequence[Sent]) -> list[dict[str, Any]]:
        """The records that the answer holds, in the order in which they were sent."""
        bodies = [submission.body for submission, _ in items]
        match kind:
            case "one":
                response = http.post(PATH, content=bodies[0], headers=JSON)
                assert response.status_code in {200, 201}, response.text
                return [response.json()]
            case "lines":
                response = http.post(PATH, content=b"\n".join(bodies), headers=NDJSON)
                answers = [json.loads(line) for line in response.text.splitlines()][:-1]
            case _:
                strict = STRICT if kind == "strict" else {}
                response = http.post(PATH, content=b"[" + b",".join(bodies) + b"]", headers=JSON | strict)
                answers = response.json()["items"]
        assert response.status_code == 207, response.text
        assert all(answer["status"] in {200, 201} for answer in answers), response.text
        return [answer["record"] for answer in answers]

    def _note(self, submission: Submission, number: int, record: dict[str, Any]) -> None:
        assert record["id"] == submission.id
        created_at = datetime.fromisoformat(record["created_at"])
        self._witness.done(Key(submission.id), number, created_at)
        if record["status"] != "accepted":
            self._witness.seen(Key(submission.id), record["status"], created_at)
