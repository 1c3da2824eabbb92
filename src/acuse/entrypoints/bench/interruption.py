"""Ctrl-C and SIGTERM, of which the first ends what is being measured, and what was started for it goes, too."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import uvloop

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TERMINATED = 128 + signal.SIGTERM


def end_at_the_first() -> None:
    """It raises KeyboardInterrupt or SystemExit. A second one must not interrupt the end: it does nothing."""
    for one in SIGNALS:
        signal.signal(one, _end)


def run(work: Coroutine[Any, Any, T]) -> T:
    """What it returned, run in a loop that can be ended in the same way."""

    async def watched() -> T:
        # Raised while the loop reads from a connection, it would be taken for an error of that one.
        for one in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(one, _end, one, None)
        return await work

    try:
        found = uvloop.run(watched())
    except BaseException:
        _ignore()
        raise
    end_at_the_first()  # The loop has put what is usual in their place.
    return found


def _end(number: int, _: object) -> NoReturn:
    _ignore()
    if number == signal.SIGTERM:
        sys.exit(TERMINATED)
    raise KeyboardInterrupt


def _ignore() -> None:
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
