"""The client: what it is given is stored once, however often it must be sent."""

from __future__ import annotations

import logging
import math
import os
import time
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import msgspec
import stamina

from acuse.client.answer import CREATED, Item, Submitted, Totals
from acuse.client.chunk import chunks, lines_of
from acuse.client.connection import Connection
from acuse.client.errors import Busy, Refused, Unreachable
from acuse.client.patience import BACKOFF, Patience
from acuse.client.request import line_of, uuid7
from acuse.domain.errors import Unavailable

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Iterator

    import httpx

    from acuse.client.chunk import Chunk
    from acuse.client.request import Request
    from acuse.client.signer import Signer

log = logging.getLogger(__name__)

MULTI_STATUS = 207
TIMEOUT = timedelta(seconds=30)
PATIENCE = timedelta(seconds=60)
LONGEST_HOLD = timedelta(seconds=20)
"""How long one answer is asked to be held: gateways give up on a silent connection after some 30 seconds."""


class Client:
    """Submits requests to one service, from any number of threads.

    What fails in passing (no connection, 429, 503, …) is sent again with the same id, so it is never stored or started
    twice. `patience` is how long that goes on without progress; `timeout` bounds the silence in one attempt. `key` is
    sent as a bearer token: a key of acuse, or an access token; `signer` signs each attempt instead. Neither is sent in
    the clear to another machine, unless `insecure`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        signer: Signer | None = None,
        timeout: timedelta = TIMEOUT,
        patience: timedelta = PATIENCE,
        insecure: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Nothing is sent yet. Raises ValueError for an address or a key that cannot be used."""
        self._connection = Connection(
            url, key=key, signer=signer, insecure=insecure, timeout=timeout, transport=transport
        )
        self._patience = patience

    def __repr__(self) -> str:
        return f"<acuse.Client {self.url}>"

    @property
    def url(self) -> str:
        """Where requests are POSTed to."""
        return self._connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Its connections are closed."""
        self._connection.close()

    def submit(
        self,
        request: Request,
        *,
        id: str | uuid.UUID | None = None,  # noqa: A002
        wait: timedelta | None = None,
        minimal: bool = False,
    ) -> Submitted:
        """The request is stored; with `wait`, it has also ended, or that time is over.

        Without an id it gets a new one. `minimal`: the record is only the id and the stamps.
        Raises ValueError if it cannot be a request; Refused or Conflict; Busy or Unreachable when patience is over.
        """
        line = line_of(request, _new_id if id is None else lambda: str(id))
        if id is not None and not line.has_new_id:
            raise ValueError("the request has an id of its own")
        deadline = None if wait is None else time.monotonic() + wait.total_seconds()
        status, record = self._post(line.text, minimal=minimal, wait=wait)
        is_new = status == CREATED or (id is None and line.has_new_id)
        if deadline is not None:
            record = self._ended(line.text, record, deadline, minimal=minimal)
        return Submitted(id=record["id"], is_new=is_new, record=record)

    def submit_all(
        self,
        requests: Iterable[Request],
        *,
        progress: Callable[[Totals], None] | None = None,
        minimal: bool = False,
        gzip: bool = True,
    ) -> Iterator[Item]:
        """Yields what the service says of each request, in order; each is stored then, or says why not.

        Any number of them, in bounded memory: at most 1,000 or 1 MiB are under way. Those without an id get one.
        One that the service cannot take until patience is over is yielded as such, if it takes others.

        Raises ValueError if one cannot be a request; Refused, Busy or Unreachable, whose `unanswered` are the requests
        from the first on that was not yielded, as far as they were taken from the iterable: they can be given again.
        """
        headers = {"content-type": "application/x-ndjson", **_preferences(minimal=minimal)}
        totals = Totals()
        for chunk in chunks(_lines(requests)):
            failure = self._decide(chunk, headers, gzip=gzip)
            items = chunk.answers if failure is None else chunk.final_answers
            for item in items:
                totals = totals.plus(item)
            if progress is not None:
                progress(totals)
            yield from items
            if failure is not None:
                failure.unanswered = chunk.rest
                raise failure

    def _post(self, text: bytes, *, minimal: bool, wait: timedelta | None) -> tuple[int, dict[str, Any]]:
        """The status and the record, whatever it takes within patience."""
        hold = None if wait is None else min(max(wait, timedelta(0)), LONGEST_HOLD)
        headers = {"content-type": "application/json", **_preferences(minimal=minimal, hold=hold)}
        try:
            for attempt in stamina.retry_context(on=Patience(self._patience), attempts=None, timeout=None):
                with attempt, self._connection.post(text, headers, hold=hold or timedelta(0)) as response:
                    return response.status_code, _record(response.read())
        except (Refused, Busy, Unreachable) as failure:
            failure.unanswered = (text,)
            raise
        raise AssertionError("stamina either returns an attempt or raises")

    def _ended(self, text: bytes, record: dict[str, Any], deadline: float, *, minimal: bool) -> dict[str, Any]:
        """The record once it has ended, or as it is at the deadline."""
        for attempt in count(1):
            asked_at = time.monotonic()
            if record["finished_at"] is not None or asked_at >= deadline:
                break
            try:
                _, record = self._post(text, minimal=minimal, wait=timedelta(seconds=deadline - asked_at))
            except Unavailable:
                log.info("no news of a request that is waited for")  # It is stored: only the news is late.
            if record["finished_at"] is None:
                # One that answers at once instead of holding the answer is asked less and less often.
                due = asked_at + BACKOFF.delay(attempt, 1.0).total_seconds()
                time.sleep(max(0.0, min(due, deadline) - time.monotonic()))
        return record

    def _decide(self, chunk: Chunk, headers: dict[str, str], *, gzip: bool) -> Refused | Busy | Unreachable | None:
        """Each request in it has its answer, or the failure says why not."""
        patience = Patience(self._patience)
        try:
            for attempt in stamina.retry_context(on=patience, attempts=None, timeout=None):
                with attempt:
                    self._send(chunk, headers, patience, gzip=gzip)
        except (Refused, Busy, Unreachable) as failure:
            only_some_are_busy = isinstance(failure, Busy) and chunk.is_answered and not chunk.is_untouched
            return None if only_some_are_busy else failure
        return None

    def _send(self, chunk: Chunk, headers: dict[str, str], patience: Patience, *, gzip: bool) -> None:
        places = chunk.begin()
        try:
            with self._connection.post(chunk.body(places), headers, gzip=gzip) as response:
                if response.status_code != MULTI_STATUS:
                    raise Unreachable(f"{self._connection.url} answers {response.status_code} to many requests")
                chunk.take(places, lines_of(response.iter_bytes()))
        finally:
            if len(chunk.open) < len(places):
                patience.renew()


def _preferences(*, minimal: bool, hold: timedelta | None = None) -> dict[str, str]:
    asked = [] if hold is None else [f"wait={math.ceil(hold.total_seconds())}"]
    asked += ["return=minimal"] if minimal else []
    return {"prefer": ", ".join(asked)} if asked else {}


def _record(text: bytes) -> dict[str, Any]:
    try:
        record = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreachable(f"an answer that is no record: {error}") from error
    if not {"id", "finished_at"} <= record.keys():
        raise Unreachable("an answer that is no record")
    return record


def _lines(requests: Iterable[Request]) -> Iterator[bytes]:
    for index, request in enumerate(requests):
        try:
            line = line_of(request, _new_id)
        except ValueError as error:
            raise ValueError(f"request {index} is {error}") from error
        yield line.text


def _new_id() -> str:
    return str(uuid7(time.time_ns() // 1_000_000, os.urandom(10)))
