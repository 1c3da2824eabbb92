"""What the tests of the deployed service share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployed.stage import synthesize

if TYPE_CHECKING:
    from infra.deploy_assembly import Template


@pytest.fixture(scope="package")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[Template]:
    return synthesize(tmp_path_factory.mktemp("synthesized"))
