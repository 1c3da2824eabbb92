"""What users import, and what it costs and is typed as."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import assert_type

import pytest

import acuse
from acuse import Action, Client, Policy
from acuse.client import Item, Problem, Submitted


class Greet(Action, tag="greet"):
    name: str


def uses(client: Client) -> None:
    """For the type checker only."""
    assert_type(acuse.Client, type[Client])
    submitted = client.submit(Greet(name="Ada"), id="…")
    assert_type(submitted, Submitted)
    assert_type(submitted.is_new, bool)
    assert_type(client.submit({"action": "greet", "name": "Ada"}), Submitted)
    items = client.submit_all([Greet(name="Ada"), {"action": "greet"}, b"{}"])
    assert_type(items, Iterator[Item])
    assert_type(next(items).problem, Problem | None)
    assert_type(Greet.policy, Policy)


def test_everything_public_is_there() -> None:
    assert all(hasattr(acuse, name) for name in acuse.__all__)
    assert acuse.Client.__module__.startswith("acuse.client")


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Klient'"):
        getattr(acuse, "Klient")  # noqa: B009


def test_an_author_of_actions_does_not_pay_for_the_client() -> None:
    code = "import sys, acuse; acuse.Action; print([name for name in ('httpx', 'stamina') if name in sys.modules])"

    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout

    assert told.strip() == "[]"
