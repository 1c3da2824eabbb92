"""`make power`: the power goes many times, under FULL as the service has it, and under NORMAL and OFF for comparison.

It ends with 1 if anything was lost under FULL, and also if nothing was under the others: then it is blind.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.power.drive import Fate
from tests.power.trial import Tally, recorded, tried
from tests.power.workload import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHARES = {Mode.FULL: 0.7, Mode.NORMAL: 0.15, Mode.OFF: 0.15}
FATES = {Mode.FULL: tuple(Fate), Mode.NORMAL: (Fate.NOTHING,), Mode.OFF: (Fate.NOTHING,)}
"""The plainest shows the loss; FULL has to stand all of them."""
COLUMNS = {
    "requests": "requests",
    "promises": "promises",
    "syncs": "syncs",
    "cuts": "cuts",
    "disks": "disks tried",
    "bad_cuts": "cuts with a loss",
    "lost": "records lost",
    "wrong": "other faults",
}
"""What the table calls the counts of a Tally."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The table is printed; the code to exit with."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description="Lose everything that was not synced.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**31))
    parser.add_argument("--requests", type=int, default=500, help="in one run of the service")
    parser.add_argument("--cuts", type=int, default=30, help="of the power in the log of one run")
    parser.add_argument("--folder", type=Path, default=Path("build/power"), help="keeps the disks that lost something")
    chosen = parser.parse_args(arguments)
    print(f"seed {chosen.seed}")
    tallies = {mode: _tally(mode, chosen, share * chosen.seconds) for mode, share in SHARES.items()}
    print(table(tallies))
    for finding in tallies[Mode.FULL].findings[:20]:
        print(finding)
    if tallies[Mode.FULL].findings:
        print(f"the first such disk of each run is kept in {chosen.folder}")
    return judgement(tallies)


def table(tallies: Mapping[Mode, Tally]) -> str:
    """A line for each mode."""
    lines = [("synchronous", *COLUMNS.values())]
    lines += [(mode, *(f"{getattr(tally, name):,}" for name in COLUMNS)) for mode, tally in tallies.items()]
    return "\n".join("  ".join(f"{cell:>16}" for cell in line) for line in lines)


def judgement(tallies: Mapping[Mode, Tally]) -> int:
    """0 if FULL lost nothing and the others did."""
    is_blind = any(tally.disks and not tally.lost for mode, tally in tallies.items() if mode is not Mode.FULL)
    if is_blind:
        print("nothing was lost where something must be: this run proves nothing; give it more seconds")
    return int(is_blind or bool(tallies[Mode.FULL].findings))


def _tally(mode: Mode, chosen: argparse.Namespace, seconds: float) -> Tally:
    """As many runs as fit into the time, at least one."""
    deadline = time.monotonic() + seconds
    tally, number = Tally(), 0
    while not number or time.monotonic() < deadline:
        seed = f"{chosen.seed}-{number}"
        place = chosen.folder / f"{mode}-{seed}"
        shutil.rmtree(place, ignore_errors=True)
        events = recorded(place / "live", mode, seed, chosen.requests)
        run = tried(events, place / "cuts", seed, chosen.cuts, fates=FATES[mode])
        if mode is not Mode.FULL or not run.findings:
            shutil.rmtree(place)
        tally += run
        number += 1
    return tally


if __name__ == "__main__":
    sys.exit(main())
