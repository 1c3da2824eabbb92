"""One look for all who ask."""

from __future__ import annotations

import asyncio
import threading

import pytest

from acuse.entrypoints.ops import shared as module
from acuse.entrypoints.ops.shared import Shared

PATIENCE = 30.0


class Clock:
    """Time that passes as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(module, "monotonic", lambda: self.now)


class Looks:
    """Looks that take their time, and how many there were."""

    def __init__(self, clock: Clock, *, seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.gate = threading.Event()
        self.gate.set()
        self.count = 0
        self.error: Exception | None = None

    def look(self) -> int:
        self.count += 1
        assert self.gate.wait(PATIENCE)
        self.clock.now += self.seconds
        if self.error is not None:
            raise self.error
        return self.count


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_those_who_ask_at_once_and_soon_after_share_a_look(clock: Clock) -> None:
    looks = Looks(clock)
    shared = Shared(looks.look)

    async def ask() -> None:
        assert await asyncio.gather(*(shared.seen(PATIENCE) for _ in range(20))) == [1] * 20
        clock.now += 0.9
        assert await shared.seen(PATIENCE) == 1
        clock.now += 0.2
        assert await shared.seen(PATIENCE) == 2

    asyncio.run(ask())


@pytest.mark.parametrize(("longest", "rest"), [(float("inf"), 36.0), (15.0, 15.0)])
def test_a_slow_look_is_followed_by_a_rest_of_nine_times_as_long(clock: Clock, longest: float, rest: float) -> None:
    looks = Looks(clock, seconds=4.0)
    shared = Shared(looks.look, longest_rest=longest)

    async def ask() -> None:
        assert await shared.seen(PATIENCE) == 1
        clock.now += rest - 0.1
        assert await shared.seen(PATIENCE) == 1
        clock.now += 0.2
        assert await shared.seen(PATIENCE) == 2

    asyncio.run(ask())


def test_who_asks_has_patience_counted_from_when_the_look_began_and_later_ones_see_it(clock: Clock) -> None:
    looks = Looks(clock)
    looks.gate.clear()
    shared = Shared(looks.look)

    async def ask() -> None:
        assert await shared.seen(0.0) is None
        clock.now += PATIENCE
        async with asyncio.timeout(PATIENCE / 2):
            assert await shared.seen(PATIENCE) is None
        assert shared.lasts == PATIENCE
        looks.gate.set()
        assert await shared.seen(2 * PATIENCE) == 1
        assert looks.count == 1

    asyncio.run(ask())


def test_a_look_that_fails_is_an_error_for_those_who_asked_and_is_taken_again(clock: Clock) -> None:
    looks = Looks(clock)
    shared = Shared(looks.look)

    async def ask() -> None:
        looks.error = ValueError("no")
        found = await asyncio.gather(*(shared.seen(PATIENCE) for _ in range(3)), return_exceptions=True)
        assert [str(one) for one in found] == ["no"] * 3
        looks.error = None
        assert await shared.seen(PATIENCE) == 2

    asyncio.run(ask())
