"""What is to be sent, and about what that costs. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

DOLLARS_PER_MILLION = 6.0
"""A request from the POST to its end, profile lambda, eu-west-1; what its record costs later is not in it."""
DOLLARS_PER_MILLION_SECONDS = 13.5
"""A second of work in a function of 1,024 MB on arm64."""
DOLLARS_PER_MILLION_READS = 2.5
"""A request sent again: HTTP API, function, a write that is refused, a read."""
CENT = 0.01
READS_EACH = 5
"""How often a sampled request is read until it has ended, about."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A steady rate for some time."""

    rate: float
    """Requests a second."""
    seconds: float
    bulk: int = 1
    """Requests in one POST."""
    sample: int = 0
    """How many of the stored ones are read until they have ended."""

    @property
    def posts(self) -> int:
        """How many POSTs that is; one at least."""
        return max(1, round(self.rate * self.seconds / self.bulk))

    def due(self, number: int) -> float:
        """The second at which that POST is due, counted from 0."""
        return number * self.bulk / self.rate


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole test."""

    url: str
    """Where requests are POSTed to."""
    rates: tuple[float, ...]
    seconds: float
    warm_up: float
    bulk: int
    connections: int
    """At once, in each process."""
    processes: int
    timeout: float
    """How long after it was due a POST without an answer is given up."""
    sample: int
    patience: float
    """How long the sampled requests of a step are waited for."""
    members: dict[str, Any]
    """Of each request, without its id."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """One for each rate."""
        return tuple(Step(rate=rate, seconds=self.seconds, bulk=self.bulk, sample=self.sample) for rate in self.rates)

    @property
    def first(self) -> Step | None:
        """The warm-up, at the first rate; None if there is none."""
        return Step(rate=self.rates[0], seconds=self.warm_up, bulk=self.bulk) if self.warm_up else None

    @property
    def requests(self) -> int:
        """How many requests are sent, with the warm-up."""
        steps = [*self.steps, *([self.first] if self.first else [])]
        return sum(step.posts * step.bulk for step in steps)

    @property
    def reads(self) -> int:
        """About how often one is sent again, to be read."""
        return sum(min(step.sample, step.posts * step.bulk) for step in self.steps) * READS_EACH

    @property
    def dollars(self) -> float:
        """About what it costs on AWS, roughly: `make costs` knows more."""
        work = float(self.members.get("seconds", 0) if self.members["action"] == "delay" else 0)
        each = DOLLARS_PER_MILLION + work * DOLLARS_PER_MILLION_SECONDS
        return (self.requests * each + self.reads * DOLLARS_PER_MILLION_READS) / 1e6

    @property
    def announcement(self) -> str:
        """What is going to happen, in one paragraph."""
        rates = ", ".join(f"{rate:g}" for rate in self.rates)
        return (
            f"{rates} requests/s for {self.seconds:g} s each to {self.url}: {self.requests:,} requests"
            f" in bodies of {self.bulk:,}, and about {self.reads:,} of them read again."
            f" On AWS {f'about ${self.dollars:,.2f}' if self.dollars >= CENT else 'less than a cent'}."
        )
