"""A process that must not outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

PR_SET_PDEATHSIG = 1
LOOK_SECONDS = 1.0


def die_with_parent(parent: int, signum: signal.Signals) -> None:
    """The signal reaches this process when its parent, whose process id is given, is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum)
    else:
        threading.Thread(target=_watch, args=(parent, signum), name="acuse-lifeline", daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def _watch(parent: int, signum: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signum)
