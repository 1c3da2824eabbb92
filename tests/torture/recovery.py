"""How long it took until all went on after a blow. Pure."""

from __future__ import annotations

from bisect import bisect_right
from math import ceil
from typing import TYPE_CHECKING

from tests.torture.schedule import Blow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from acuse.domain.record import Key
    from tests.torture.gremlin import Strike
    from tests.torture.ledger import Acknowledged


def of_work(strikes: Iterable[Strike], endings: Mapping[Key, Sequence[float]]) -> list[float]:
    """For each blow at a worker or a runner, seconds until all that was leased at that moment had ended.

    What was leased to others counts too, and blows that follow add to it. A runner that stands still is waited for, up
    to the time limit of its run: that is no recovery.
    """
    found: list[float] = []
    for strike in strikes:
        if strike.fault.kind == "api" or (strike.fault.kind, strike.fault.blow) == ("runner", Blow.STOP):
            continue
        times = [min((at for at in endings.get(key, ()) if at > strike.at), default=None) for key in strike.leased]
        ended = [at - strike.at for at in times if at is not None]
        if ended:
            found.append(max(ended))
    return found


def of_intake(strikes: Iterable[Strike], acknowledged: Iterable[Acknowledged]) -> list[float]:
    """For each blow that ended the API, seconds until a request that was sent afterwards was acknowledged."""
    by_sending = sorted((one.sent_at, one.at) for one in acknowledged)
    sent = [sent_at for sent_at, _ in by_sending]
    soonest: list[float] = []
    for _, at in reversed(by_sending):
        soonest.append(min(at, soonest[-1]) if soonest else at)
    soonest.reverse()
    found: list[float] = []
    for strike in strikes:
        if (strike.fault.kind == "api" and strike.fault.blow is not Blow.STOP) or strike.fault.blow is Blow.RESTART:
            later = bisect_right(sent, strike.at)
            if later < len(sent):
                found.append(soonest[later] - strike.at)
    return found


def percentile(values: Sequence[float], of_hundred: float) -> float:
    """The nearest rank; 0 for none."""
    ranked = sorted(values)
    return ranked[max(0, ceil(of_hundred / 100 * len(ranked)) - 1)] if ranked else 0.0
