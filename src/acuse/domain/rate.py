"""How often something may be done: a bucket of tokens that fills steadily."""

from __future__ import annotations

import msgspec

WINDOW_SECONDS = 60


class Bucket(msgspec.Struct, frozen=True):
    """What was left at a time, in seconds of any steady clock. More than is there may be taken: then it is in debt."""

    quota: int
    left: float
    at: float

    def refilled(self, now: float) -> Bucket:
        """As it is by now: a whole quota comes back in a window."""
        now = max(now, self.at)
        back = (now - self.at) * self.quota / WINDOW_SECONDS
        return Bucket(self.quota, min(float(self.quota), self.left + back), now)

    def without(self, tokens: int) -> Bucket:
        """After so many are taken."""
        return Bucket(self.quota, self.left - tokens, self.at)

    def seconds_until(self, tokens: float) -> float:
        """How long until that many are there."""
        return max(0.0, tokens - self.left) * WINDOW_SECONDS / self.quota


def full_bucket(quota: int, now: float) -> Bucket:
    """Of one who has not done anything yet."""
    return Bucket(quota, float(quota), now)
