"""A guard, how it is broken, and which proof finds that."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tests.guards.surgery import Cut


class Broken(msgspec.Struct, frozen=True):
    """`proof` is a test of the suite; it must pass before the cuts and fail after them.

    `store`: what the proof runs over, where it wants a backend or a site.
    """

    guard: str
    cuts: tuple[Cut, ...]
    proof: Callable[..., None]
    store: str = "memory"


def row(guard: str, where: str, text: str, instead: str, proof: Callable[..., None], store: str = "memory") -> Broken:
    """A guard that is broken by one cut."""
    return Broken(guard, (Cut(where, text, instead),), proof, store)
