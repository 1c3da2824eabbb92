"""The service on AWS, end to end on a local one: its API, its functions, its table and its queues."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.acceptance.service import ACTIONS, until
from tests.aws.local import LocalAws, local_aws
from tests.aws.stack import Stack
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLE = Path(__file__).parent.parent.parent / "build" / "bundle"


class Deployed:
    """What a client and an operator see of it."""

    def __init__(self, aws: LocalAws, stack: Stack) -> None:
        self.aws = aws
        self.stack = stack
        self.http = httpx.Client(base_url=stack.api_url, timeout=30)

    def post(self, **members: Any) -> httpx.Response:
        return self.http.post("/v1/requests", json=members)

    def ended(self, request: dict[str, Any]) -> dict[str, Any]:
        """The record when it has ended."""

        def record() -> dict[str, Any] | None:
            answer = self.post(**request).json()
            return answer if answer.get("finished_at") else None

        return until(record, "the end of the request")

    def submit(self, action: str, **members: Any) -> dict[str, Any]:
        """The record at its end."""
        request = {"id": new_id(), "action": action, **members}
        assert self.post(**request).status_code == 201
        return self.ended(request)


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    assert BUNDLE.is_dir(), "run `make bundle` first"
    aws = local_aws()
    with Stack(aws, BUNDLE, environment={"ACUSE_ACTIONS": str(ACTIONS)}, visibility=2, max_receive_count=3) as stack:
        deployed = Deployed(aws, stack)
        yield deployed
        deployed.http.close()


def test_a_request_is_accepted_processed_and_finished(deployed: Deployed) -> None:
    request = {"id": new_id(), "action": "delay", "seconds": 0.1, "note": {"n": [1.5, None, True, ""]}}

    first = deployed.post(**request)

    assert first.status_code == 201
    assert first.json()["status"] == "accepted"
    ended = deployed.ended(request)
    assert ended["status"] == "finished"
    assert ended["result"] == {"seconds": 0.1}
    assert ended["finished_at"] > ended["created_at"]
    assert {name: ended[name] for name in request} == request
