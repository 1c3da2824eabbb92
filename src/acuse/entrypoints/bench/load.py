"""POSTs, over several connections at once, each as soon as the one before is answered."""

from __future__ import annotations

import asyncio
import random
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from acuse.domain.errors import Misconfigured, Unavailable
from acuse.entrypoints.bench.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from acuse.entrypoints.bench.connection import Answer

CREATED, MULTI_STATUS, TOO_MANY, UNAVAILABLE = 201, 207, 429, 503
PAUSE_SECONDS = 0.1
"""After what was refused only for now."""
TELL_SECONDS = 0.1

_item = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How requests are sent: so many in one body, over so many connections."""

    name: str
    connections: int
    items: int = 1

    @property
    def headers(self) -> Mapping[str, str]:
        """Those that tell one from many."""
        return {"content-type": "application/json" if self.items == 1 else "application/x-ndjson"}


class Taken(msgspec.Struct):
    """What came of the POSTs so far."""

    accepted: list[str] = []
    """The ids of the requests."""
    took: list[float] = []
    """Seconds that each answer took."""
    refused: int = 0
    """Requests that were refused only for now."""
    seconds: float = 0.0
    """From the first POST to the last answer."""

    def add(self, ids: Sequence[str], answer: Answer) -> bool:
        """Whether all were accepted. Raises Misconfigured for what will never be."""
        if answer.status == CREATED:
            self.accepted += ids
            return True
        if answer.status == MULTI_STATUS:
            *items, _ = answer.body.splitlines()
            statuses = [_status(item) for item in items]
            fresh = [id_ for id_, status in zip(ids, statuses, strict=False) if status == CREATED]
            self.accepted += fresh
            self.refused += len(ids) - len(fresh)
            return len(fresh) == len(ids)
        if answer.status not in (TOO_MANY, UNAVAILABLE):
            raise Misconfigured(f"the service does not take this request: {answer.status} {_detail(answer.body)}")
        self.refused += len(ids)
        return False


class Load:
    """One request over and over, each time with an id of its own."""

    def __init__(self, url: str, request: Mapping[str, object], tell: Callable[[int], None]) -> None:
        """Nothing is sent yet. `tell` is given the number of those accepted so far, now and then."""
        self._where = urlsplit(url)
        self._rest = msgspec.json.encode(request)[1:]
        self._tell = tell
        self._random = random.Random()  # noqa: S311  (ids need to be apart, not secret)

    async def run(self, way: Way, seconds: float) -> Taken:
        """What was taken in that time; of each connection, one POST at least."""
        taken = Taken()
        began = perf_counter()
        telling = asyncio.create_task(self._keep_telling(taken))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(way.connections):
                    group.create_task(self._post(way, taken, began + seconds))
        except* ConnectionError as errors:
            raise Unavailable(f"the service went away: {errors.exceptions[0]}") from errors
        except* Misconfigured as errors:
            raise Misconfigured(str(errors.exceptions[0])) from errors
        finally:
            telling.cancel()
        taken.seconds = perf_counter() - began
        return taken

    async def _post(self, way: Way, taken: Taken, until: float) -> None:
        connection = Connection(self._where.netloc, self._where.path)
        await asyncio.get_running_loop().create_connection(
            lambda: connection, self._where.hostname or "", self._where.port or 80
        )
        try:
            while True:
                ids = [self._new_id() for _ in range(way.items)]
                body = b"\n".join(b'{"id":"%b",%b' % (id_.encode(), self._rest) for id_ in ids)
                began = perf_counter()
                answer = await connection.post(way.headers, body)
                taken.took.append(perf_counter() - began)
                if not taken.add(ids, answer):
                    await asyncio.sleep(PAUSE_SECONDS)
                if perf_counter() >= until:
                    return
        finally:
            connection.close()

    async def _keep_telling(self, taken: Taken) -> None:
        while True:
            self._tell(len(taken.accepted))
            await asyncio.sleep(TELL_SECONDS)

    def _new_id(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _status(line: bytes) -> int:
    item = _item.decode(line)
    status = int(bytes(item["status"]))
    if status not in (CREATED, TOO_MANY, UNAVAILABLE):
        raise Misconfigured(f"the service does not take this request: {status} {_detail(bytes(item['problem']))}")
    return status


def _detail(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
