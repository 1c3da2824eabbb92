"""The torture of acuse, and the same of DBOS and of Huey: the same clients, ledger, blows and audit, one after another.

The peers live in a virtual environment of their own: `make peers`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from tests.torture.schedule import schedule
from tests.torture.service import Service
from tests.torture.torment import torment

from bench.peers.subject import PEERS, PeerService
from bench.peers.table import promises, table

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.torture.subject import Subject

PYTHON = Path("build/peers/bin/python")
ACUSE = "acuse"


def main() -> None:
    """Print the figures of all of them, under the same blows."""
    names = [ACUSE, *(peer.name for peer in PEERS)]
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**31))
    parser.add_argument("--every", type=float, default=1.5, help="seconds between blows, on average")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--lease", type=float, default=1.0, help="acuse's; what is stopped is stopped for longer")
    parser.add_argument("--drain", type=float, default=300, help="how long the rest may take to end")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--python", type=Path, default=PYTHON, help="of the peers' virtual environment")
    parser.add_argument("--keep", action="store_true", help="leave the databases and logs")
    options = parser.parse_args()
    if not options.python.exists() and options.only != [ACUSE]:
        sys.exit(f"peers: there is no {options.python}: `make peers` makes it")
    random = Random(options.seed)  # noqa: S311  (no secret is made here)
    faults = schedule(random, seconds=options.seconds, every=options.every, lease=options.lease)
    folder = Path(tempfile.mkdtemp(prefix="acuse-peers-"))
    print(f"seed {options.seed}, {options.seconds:.0f} s each, {len(faults)} blows, in {folder}", flush=True)
    reports = {}
    for name in options.only:
        with _subject(name, folder, options) as subject:
            reports[name] = torment(
                subject,
                seed=options.seed,
                seconds=options.seconds,
                faults=faults,
                clients=options.clients,
                drain=options.drain,
                replays=False,
            )
        print(f"{name}: {reports[name].acknowledged:,} acknowledged", flush=True)
    print()
    print(*table(reports), "", *promises(), sep="\n")
    if not options.keep:
        shutil.rmtree(folder)


def _subject(name: str, folder: Path, options: argparse.Namespace) -> AbstractContextManager[Subject]:
    own = folder / name
    own.mkdir()
    if name == ACUSE:
        return Service(own, workers=options.workers, runners=1, lease=timedelta(seconds=options.lease))
    peer = next(peer for peer in PEERS if peer.name == name)
    return PeerService(own, peer, python=options.python.absolute(), workers=options.workers)


if __name__ == "__main__":
    main()
