"""What the tests of the deployed service share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployed.stage import synthesize, templates_in

if TYPE_CHECKING:
    from pathlib import Path

    from infra.deploy_assembly import Template


@pytest.fixture(scope="package")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("synthesized"))


@pytest.fixture(scope="package")
def templates(assembly: Path) -> list[Template]:
    return templates_in(assembly)
