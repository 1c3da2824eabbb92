"""The process of a local AWS. It ends with its parent, or is the one in the background that holds the lock."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
from pathlib import Path

from acuse.adapters.lifeline import die_with_parent
from infra.local_aws import edition


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m infra.local_server", description=__doc__)
    parser.add_argument("--parent", type=int, help="process id; what was started by it ends with it")
    parser.add_argument("--lock", type=Path, help="held as long as this runs, and says which process this is")
    given = parser.parse_args()
    del sys.argv[1:]
    if given.parent is not None:
        die_with_parent(given.parent, signal.SIGKILL)
    if given.lock is not None:
        _hold(given.lock)
    os.environ["MINISTACK_EDITION"] = edition(os.getpid())
    from ministack import app  # noqa: PLC0415  (reads the environment when it is imported)

    from infra.local_fixes import fix  # noqa: PLC0415  (the same)

    fix()
    app.main()


def _hold(path: Path) -> None:
    """Nobody else holds it, until this process is gone, however it goes."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{path}: another local AWS is running already")
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()} {os.environ['GATEWAY_PORT']}".encode())


if __name__ == "__main__":
    main()
