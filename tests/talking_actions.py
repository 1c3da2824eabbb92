"""Actions that have much to say."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from acuse import Action, Backoff, Fail, Policy, Retry

log = logging.getLogger("talking")
FORGED = 'done\n{"level":"INFO","event":"forged"}\x1b[2K'


class Talks(Action, tag="talks"):
    policy: ClassVar[Policy] = Policy(attempts=2, backoff=Backoff(first=timedelta(milliseconds=1)))
    how: str = ""

    def run(self) -> None:
        match self.how:
            case "says":
                log.info(FORGED, extra={"rows": 7, "event": "forged", "request_id": "forged", "text": FORGED})
            case "starts a thread":
                thread = threading.Thread(target=log.info, args=("from a thread",))
                thread.start()
                thread.join()
            case "leaves a thread to its error":
                thread = threading.Thread(target=int, args=(FORGED,))
                thread.start()
                thread.join()
            case "warns":
                warnings.warn(FORGED, stacklevel=1)
            case "mistakes":
                log.info("%d rows", "seven", extra={"self": self, "bytes": b"\x00\xff", "not a number": float("nan")})
            case "raises":
                raise ValueError(FORGED)
            case "refuses":
                raise Fail("secret of a client")
            case "postpones":
                raise Retry("secret of a client", after=timedelta(milliseconds=1))


class Sums(Action, tag="sums"):
    policy: ClassVar[Policy] = Policy(attempts=1)

    def split(self) -> list[int]:
        return [1, 2]

    def process(self, part: int) -> int:
        log.info("a part", extra={"value": part})
        if part > 1:
            raise Fail("secret of a client")
        return part

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)
