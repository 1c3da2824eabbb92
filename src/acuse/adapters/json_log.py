"""Lines of the log as machines read them: one JSON object each, whatever is logged. Needs structlog."""

from __future__ import annotations

import json
import logging
import math
import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from structlog.processors import JSONRenderer, format_exc_info
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from acuse.adapters.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from structlog.typing import EventDict

STANDARD_ERROR = 2
MAX_LINE = 60_000
"""Bytes of all that a line tells, so that nothing that collects logs has to cut it: CloudWatch takes 256 KB."""
MAX_TEXT = 4_000
"""Characters of one text."""
MAX_TRACEBACK = 16_000
"""Characters of a traceback; of a longer one the end is told, in which the error is."""
MAX_ITEMS = 100
MAX_LEVELS = 5
MAX_NUMBER = 2**63
LEFT_OUT = "…"
LONGEST_ESCAPE = 12
"""Bytes of one character in JSON that is ASCII."""
LEAST = 24
"""Bytes that a value is counted with besides its text: more than any number has."""

SUBJECT = ("request_id", "part", "trace_id")
"""What must be told, however much else there is to tell."""
_OURS = frozenset({"timestamp", "level", "event", "logger", "exception", "stack"})
_TAKEN = _OURS | {"_record", "_from_structlog", "_logger", "_name"}
"""What `extra` may not put in the place of what is ours, or of what structlog keeps for itself."""


class JsonFormatter(logging.Formatter):
    """One object, in ASCII: nothing that is logged can end the line, or stand in the place of what is ours."""

    def __init__(self) -> None:
        """Nothing is to be chosen."""
        super().__init__()
        self._lines = ProcessorFormatter(
            foreign_pre_chain=[ExtraAdder()],
            processors=[format_exc_info, _object, JSONRenderer(allow_nan=False)],
        )

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        members = {f"extra_{name}" if name in _TAKEN else name: value for name, value in vars(record).items()}
        members.update(msg=_message(record), args=())
        members.pop("color_message", None)  # Uvicorn says the same once more, for a terminal.
        return self._lines.format(logging.makeLogRecord(members))


class WholeLines(logging.Handler):
    """Writes each line to standard error as a whole, for every process of the service writes there."""

    def __init__(self) -> None:
        """Nothing is to be chosen."""
        super().__init__()
        self._turns = Turns(STANDARD_ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        """The line is written. One that cannot be is lost: what is said of it would be no object."""
        with suppress(Exception):
            line = f"{self.format(record)}\n".encode()
            with self._turns.one():
                while line:
                    line = line[os.write(STANDARD_ERROR, line) :]


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  (arguments that do not fit the message are still worth a line)
        room = _Room(MAX_LINE)
        return f"{room.value(record.msg)} {room.value(record.args)}"


def _object(_logger: object, _name: str, told: EventDict) -> EventDict:
    """What the line tells: ours first, then the rest as far as there is room."""
    record: logging.LogRecord = told.pop("_record")
    told.pop("_from_structlog")
    room = _Room(MAX_LINE)
    subject = {name: room.value(told.pop(name)) for name in SUBJECT if name in told}
    line: dict[str, Any] = {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z",
        "level": room.text(record.levelname),
        "event": room.value(told.pop("event")),
        "logger": room.text(record.name),
        "process": record.process,
        **subject,
    }
    traces = {"exception": told.pop("exception", None), "stack": told.pop("stack_info", None)}
    ends = {name: room.end(trace) for name, trace in traces.items() if trace}
    line.update(room.members(told.items()))
    return {**line, **ends}


class _Room:
    """What of a line is left for what is still to be told."""

    def __init__(self, size: int) -> None:
        """Bytes of JSON."""
        self._left = size

    def text(self, text: str) -> str:
        """The text, or its beginning."""
        return self._fitting(text, MAX_TEXT, lambda fit: text[:fit] + LEFT_OUT)

    def end(self, text: str) -> str:
        """The text, or its end."""
        return self._fitting(text, MAX_TRACEBACK, lambda fit: LEFT_OUT + text[len(text) - fit :])

    def value(self, value: object, levels: int = MAX_LEVELS) -> Any:
        """The value as JSON, as far as there is room; the text of what is no JSON."""
        self._left -= LEAST
        try:
            return self._value(value, levels)
        except Exception:  # noqa: BLE001  (the methods of an object that somebody logs may raise anything)
            return self.text(f"(a {type(value).__name__} that cannot be told)")

    def members(self, items: Iterable[tuple[object, object]], levels: int = MAX_LEVELS) -> dict[str, Any]:
        """As many as there is room for."""
        found: dict[str, Any] = {}
        for name, value in items:
            if self._left <= 0 or len(found) == MAX_ITEMS:
                found[LEFT_OUT] = LEFT_OUT
                break
            told = self.text(str(name))
            found[told] = self.value(value, levels)
        return found

    def _items(self, values: Iterable[object], levels: int) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if self._left <= 0 or len(found) == MAX_ITEMS:
                found.append(LEFT_OUT)
                break
            found.append(self.value(value, levels))
        return found

    def _value(self, value: object, levels: int) -> Any:
        match value:
            case None | bool():
                return value
            case int() if abs(value) < MAX_NUMBER:
                return int(value)
            case float() if math.isfinite(value):
                return float(value)
            case dict():
                return self.members(value.items(), levels - 1) if levels else LEFT_OUT
            case list() | tuple() | set() | frozenset():
                return self._items(value, levels - 1) if levels else LEFT_OUT
            case _:
                return self.text(_written(value))

    def _fitting(self, text: str, most: int, cut: Callable[[int], str]) -> str:
        size, told = 0, text
        for fit in (min(most, max(0, self._left)), max(0, self._left) // LONGEST_ESCAPE):
            told = (text if len(text) <= fit else cut(fit)).encode("utf-8", "backslashreplace").decode()
            size = len(json.dumps(told))
            if size <= self._left:
                break
        self._left -= size
        return told


def _written(value: object) -> str:
    return repr(bytes(value[:MAX_TEXT])) if isinstance(value, bytes | bytearray) else str(value)
