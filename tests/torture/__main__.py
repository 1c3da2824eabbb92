"""`make torture`: kills, stops and restarts the service under load, and looks for what is lost.

It prints the seed, the blows, what was acknowledged and what is amiss; where anything is, it ends with an error and
leaves the folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from random import Random, SystemRandom

from tests.torture.schedule import schedule
from tests.torture.service import Service
from tests.torture.torment import torment


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description="Kill it, and look for what is lost.")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**31))
    parser.add_argument("--every", type=float, default=0.7, help="seconds between blows, on average")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--runners", type=int, default=1)
    parser.add_argument("--lease", type=float, default=1.0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="acuse-torture-"))
    print(f"seed {options.seed}, {options.seconds:.0f} s, in {folder}", flush=True)
    faults = schedule(Random(options.seed), seconds=options.seconds, every=options.every, lease=options.lease)
    lease = timedelta(seconds=options.lease)
    with Service(folder, workers=options.workers, runners=options.runners, lease=lease) as service:
        found = torment(
            service,
            seed=options.seed,
            seconds=options.seconds,
            faults=faults,
            clients=options.clients,
        )
    for line in found.lines():
        print(line)
    if not found.all_well:
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
