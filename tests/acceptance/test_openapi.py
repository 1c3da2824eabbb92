"""The OpenAPI document as users get it: printed, in the docs, and from the ops plane."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.service import ACTIONS, Running, acuse

COPY = Path(__file__).parents[2] / "docs/reference/openapi.json"


def test_the_copy_in_the_docs_is_what_the_command_prints() -> None:
    """To renew it: `acuse openapi > docs/reference/openapi.json`."""
    printed = acuse("openapi")

    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == COPY.read_text("utf-8")


def test_the_ops_plane_tells_of_the_actions_that_are_served(tmp_path: Path) -> None:
    printed = json.loads(acuse("openapi", "--actions", ACTIONS).stdout)

    with Running(tmp_path / "data") as service:
        answer = service.client.get(service.health.replace("/health/ready", "/openapi.json"))

    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["components"] == printed["components"]
    assert told["paths"] == printed["paths"]
    assert "echo" in told["components"]["schemas"]["Request"]["discriminator"]["mapping"]
