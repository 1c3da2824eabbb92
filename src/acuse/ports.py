"""What the service needs from the outside. Every adapter passes the same contract suite (`tests/contract`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from acuse.domain.api_key import ApiKey
    from acuse.domain.backlog import Backlog
    from acuse.domain.delivery import Delivery, Ending
    from acuse.domain.listing import Filter, Page
    from acuse.domain.outcome import Addition, Outcome, Together
    from acuse.domain.purged import Purged
    from acuse.domain.record import Key, Part, Record
    from acuse.domain.tally import Tally
    from acuse.domain.task import Task


class Store(Protocol):
    """The truth about every request. All of it raises StoreUnavailable when the data cannot be reached."""

    def add(self, records: Sequence[Record], /) -> list[Addition]:
        """Each id is durable and queued, once; of two records with one id the first stays. Safe to repeat.

        An error in the list stands for a record that could not be stored while others could.
        """

    def add_together(self, records: Sequence[Record], /) -> list[Together]:
        """As `add`, but all or none: where any id is there with another fingerprint, what is new is Withheld.

        At most MAX_TOGETHER records, with MAX_TOGETHER_BYTES of bodies. Safe to repeat.
        """

    def settle(self, endings: Sequence[Ending], /) -> list[bool]:
        """Each ending is recorded, once; False where it had already ended.

        Of a lease that is another's by now, too, where the store can tell; else the first of the two to end it counts.

        The ending of the last part queues the request again, for its merge, in the same step.
        """

    def plan(self, delivery: Delivery, parts: Sequence[bytes], /) -> bool:
        """The parts exist, once, and are queued; the request waits for them. False as for `settle`."""

    def get(self, ids: Sequence[str], /) -> Mapping[str, Record]:
        """The records as they are now; an unknown id is left out."""

    def parts(self, keys: Sequence[Key], /) -> Mapping[Key, Part]:
        """The parts as they are now; an unknown key is left out."""

    def reopen(self, ids: Sequence[str], /) -> list[bool]:
        """Each failed request is accepted again and queued; of a split one, only the failed parts. Else False."""

    def purge(self, before: datetime, limit: int, after: str | None, /, *, dry: bool) -> Purged:
        """Of some requests, those that ended before that moment are gone for good, with all their parts.

        One step, which looks at about `limit` requests and parts and deletes no more. The first is after None, each
        other after the `next` of the one before. What is not gone when a step fails or stops is so by a later purge.
        Safe to repeat, and for several at once, of whom two may count the same one. Dry: it only counts.

        A request that goes in several steps is not opened again from the first of them on.
        """


class Overview(Protocol):
    """What people look at; to look changes nothing. All of it raises StoreUnavailable when it cannot be seen."""

    def find(self, wanted: Filter, limit: int, after: str | None, /) -> Page:
        """At most `limit` of what is wanted: the first after None, else those after the `next` of an earlier page.

        Each request that is there all the while comes once, if it does not change meanwhile. Bounded in what it looks
        at. Raises Misconfigured for an `after` that is not of such a page.
        """

    def backlog(self) -> Backlog:
        """How many wait and how many are held, now."""

    def tallies(self, since: datetime, /) -> list[Tally]:
        """What came to pass in the spans that began then or later, in no order, several of one kind perhaps.

        It reaches back as far as KEPT. Near enough for a picture; the records are the truth.
        """


class Keyring(Protocol):
    """The keys of the clients. All of it raises StoreUnavailable when the data cannot be reached."""

    def keys(self) -> list[ApiKey]:
        """All that were ever made, also the revoked ones, by name."""

    def put(self, key: ApiKey, /) -> bool:
        """The new key is durable; False where its name is taken, if only by one that was revoked."""

    def revoke(self, name: str, at: datetime, /) -> bool:
        """The key is marked as revoked, for good; False where there is none, or it was before."""


class Queue(Protocol):
    """What is due, leased for a short while to whoever receives it. Delivery is at least once."""

    def receive(self, limit: int, wait: timedelta, /) -> list[Delivery]:
        """Up to `limit` are leased to the caller and their attempts counted; waits that long for a first one."""

    def extend(self, deliveries: Sequence[Delivery], /) -> None:
        """Those still leased to the caller are so for the whole lease from now."""

    def release(self, deliveries: Sequence[Delivery], delay: timedelta, /, *, charged: bool) -> None:
        """Those still leased to the caller are due again after the delay; not charged: the attempt does not count."""

    def ack(self, deliveries: Sequence[Delivery], /) -> None:
        """They are never delivered again. Only for what was settled or planned, or had ended before."""


class Runner(Protocol):
    """A process of its own that runs actions, so that nothing an action does reaches the worker."""

    def ready(self) -> None:
        """The process is there and waits for a task. Raises RunnerUnavailable when none can be had."""

    def begin(self, task: Task, /) -> None:
        """The task is under way; the last one must have ended. Raises RunnerUnavailable as `ready` does."""

    def outcome(self, wait: timedelta, /) -> Outcome | None:
        """What came of the task; None if it is still under way after that long."""

    def kill(self) -> None:
        """The process and those it started in its group are gone, whatever they were doing."""

    def end(self) -> None:
        """The same, with nothing under way: what the process had to see to before, it could."""


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """Now, in UTC."""
