from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.contract.backend import BACKENDS, Backend
from tests.faults.seam import Scripted, seam
from tests.faults.unruly import Unruly
from tests.faults.wrapped import Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """As for the contract suite, with every wrapper around it, and no fault planned."""
    nothing = Scripted()
    with BACKENDS[request.param](tmp_path) as made:
        yield Wrapped(made, seam(made.store, nothing), Unruly(seam(made.queue, nothing), Random(0), luck=0.0))
