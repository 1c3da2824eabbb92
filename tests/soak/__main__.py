"""`make soak`: the service under a steady rate, looked at every second; what grows without bound is found.

Ends with 0 if all is well, 1 if something was lost, ended twice, answered wrong or did not end, 2 if something grows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING

from tests.acceptance.service import Running, until
from tests.soak.growth import percentile, warm_up
from tests.soak.ledger import Ledger
from tests.soak.load import Load
from tests.soak.plot import plot
from tests.soak.processes import left_behind, processes
from tests.soak.purges import Purges
from tests.soak.report import Outcome, csv, lines
from tests.soak.store import Reader
from tests.soak.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ACTIONS = Path(__file__).with_name("actions.py")
WORKERS = RUNNERS = 2


def main() -> None:
    """The picture, the samples and the verdict are there."""
    options = _options()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="data-", dir=folder) as place:
        outcome = soak(options, Path(place).resolve() / "data")
    (folder / "samples.csv").write_text("".join(f"{line}\n" for line in csv(outcome.samples)))
    plot(outcome, folder / "soak.png")
    for line in lines(outcome):
        print(line)
    print(f"picture   {folder / 'soak.png'}", flush=True)
    sys.exit(outcome.code)


def soak(options: argparse.Namespace, data: Path) -> Outcome:
    """The whole run, from the start of the service to its end."""
    ledger = Ledger(options.keep)
    purges = Purges(data, keep=options.keep, every=options.purge_every)
    with Running(data, "--workers", WORKERS, "--runners", RUNNERS, actions=ACTIONS, ACUSE_LOG_LEVEL="ERROR") as service:
        until(service.ready, "readiness")
        until(lambda: _runners(service.process.pid) == WORKERS * RUNNERS, "all runners")
        reader = Reader(data)
        load = Load(service.url, rate=options.rate, seed=options.seed, recent=options.keep / 3, leak=options.leak)
        watch = Watch(service.process.pid, data, load, reader, ledger, every=options.look_every)
        with _beside(watch.run) as stopped, _beside(purges.run):
            load.run(options.seconds, stopped)
        drained = watch.drain()
        not_ended = reader.not_ended()
    return Outcome(
        seconds=options.seconds,
        rate=options.rate,
        seed=options.seed,
        warm_up=warm_up(options.seconds, options.keep + 2 * options.purge_every),
        samples=[one for one in watch.samples if one.second <= options.seconds],
        counts=dict(ledger.counts),
        ended_as=dict(ledger.ended_as),
        faults=[*ledger.faults, *purges.faults[:3], *_said(service.log)],
        not_ended=not_ended,
        left_behind=len(left_behind(data)),
        purges=purges.done,
        purged=purges.requests,
        late_p99=percentile(load.late, 0.99),
        drained=drained,
    )


@contextmanager
def _beside(run: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    """It runs in a thread of its own until the block is left; if it fails, so does the block."""
    stopped = threading.Event()
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            run(stopped)
        except BaseException as error:  # noqa: BLE001  (raised below)
            failed.append(error)
            stopped.set()

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield stopped
    finally:
        stopped.set()
        thread.join()
    if failed:
        raise failed[0]


def _runners(supervisor: int) -> int:
    return sum(process.role == "runners" for process in processes(supervisor))


def _said(log: Path) -> list[str]:
    """What the service logged as an error."""
    return [f"log: {line}" for line in log.read_text().splitlines()[-5:]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--rate", type=float, default=100, help="HTTP requests a second")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**31))
    parser.add_argument("--folder", type=Path, default=Path("build/soak"), help="for the picture and the samples")
    parser.add_argument("--keep", type=int, default=20, help="seconds that a record is kept after its end")
    parser.add_argument("--purge-every", type=float, default=10, help="seconds between two purges")
    parser.add_argument("--look-every", type=float, default=1, help="seconds between two samples")
    parser.add_argument(
        "--leak", type=int, default=0, help="kilobytes that every third run leaks: the soak must say so"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
