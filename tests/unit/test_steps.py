from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from acuse.entrypoints.steps import interrupting, once_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_interrupts_lets_a_step_finish_and_the_second_time_does_not(number: signal.Signals) -> None:
    stopped = threading.Event()
    once_interrupted(stopped)

    os.kill(os.getpid(), number)
    assert stopped.wait(10)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_that_the_terminal_is_closed_is_ignored_where_it_was_before() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    assert signal.SIGHUP not in interrupting()
