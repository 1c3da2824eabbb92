"""One process of a peer's service: its intake, a worker, or a reader that prints all that it has.

Runs in the peers' own virtual environment, which has nothing of acuse.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.peers import intake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.peers.job import Members


class Peer(Protocol):
    """A durable queue of somebody else."""

    def accept(self, members: Members) -> int:
        """The request is queued for good; 201, or what else it is."""

    def work(self, name: str) -> None:
        """It ran what is queued until it was told to stop."""

    def everything(self) -> Iterator[dict[str, Any]]:
        """Each request that the queue knows: its members, its status (none before it has ended), its result."""


def main() -> None:
    """One role of one peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["dbos", "huey", "huey-safest"])
    parser.add_argument("role", choices=["api", "worker", "read"])
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--name", default="local")
    parser.add_argument("--fd", type=int)
    options = parser.parse_args()
    peer = _peer(options.peer, options.file)
    match options.role:
        case "api":
            intake.serve(peer.accept, options.fd)
        case "worker":
            peer.work(options.name)
        case _:
            for one in peer.everything():
                sys.stdout.write(json.dumps(one) + "\n")


def _peer(name: str, file: Path) -> Peer:
    # Each is imported only where it is the one.
    if name == "dbos":
        from bench.peers.over_dbos import OverDbos  # noqa: PLC0415

        return OverDbos(file)
    from bench.peers.over_huey import OverHuey  # noqa: PLC0415

    return OverHuey(file, safest=name == "huey-safest")


if __name__ == "__main__":
    main()
