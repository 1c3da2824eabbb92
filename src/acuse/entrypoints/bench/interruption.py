"""Ctrl-C and the like, of which the first ends what is being measured, and what was started for it goes, too."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import uvloop

from acuse.entrypoints.steps import interrupting

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def end_at_the_first() -> None:
    """It raises KeyboardInterrupt. A second one must not interrupt the end: it does nothing."""
    for one in interrupting():
        signal.signal(one, _end)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What it returned, run in a loop that can be ended in the same way."""

    async def watched() -> T:
        # Raised while the loop reads from a connection, it would be taken for an error of that one.
        for one in interrupting():
            asyncio.get_running_loop().add_signal_handler(one, _end)
        return await work

    try:
        found = uvloop.run(watched())
    except BaseException:
        _ignore()
        raise
    end_at_the_first()  # The loop has put what is usual in their place.
    return found


def _end(*_: object) -> NoReturn:
    _ignore()
    raise KeyboardInterrupt


def _ignore() -> None:
    for one in interrupting():
        signal.signal(one, signal.SIG_IGN)
