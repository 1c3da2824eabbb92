"""A line of the log is one JSON object, whatever is logged."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from enum import IntEnum, StrEnum
from fcntl import F_SETPIPE_SZ, LOCK_EX, fcntl, flock
from select import PIPE_BUF
from typing import TYPE_CHECKING, Any, Never

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acuse.adapters import json_log, turns
from acuse.adapters.json_log import LEFT_OUT, MAX_ITEMS, MAX_LINE, MAX_TEXT, MAX_TRACEBACK, JsonFormatter, WholeLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPARE = 200
"""Bytes of a line besides what is counted: names of ours, and punctuation."""
OURS = {"timestamp", "level", "event", "logger", "process"}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
VALUES = st.recursive(
    SCALARS, lambda each: st.lists(each) | st.dictionaries(st.text() | st.integers(), each), max_leaves=9
)


def record(message: object = "said", *arguments: object, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "of.it", "levelname": "INFO", "msg": message, "args": arguments})
    vars(made).update(extra)
    return made


def line(one: logging.LogRecord) -> dict[str, Any]:
    """As a strict reader reads it."""
    text = JsonFormatter().format(one)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= MAX_LINE + SPARE
    read: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return read


def failed(error: BaseException) -> tuple[type[BaseException], BaseException, None]:
    return type(error), error, None


class Bad(dict[str, int]):
    def __str__(self) -> Never:
        raise ValueError

    def items(self) -> Never:
        raise ValueError


class Unspeakable:
    def __str__(self) -> Never:
        raise ValueError


class Colour(StrEnum):
    RED = "red"


class Grade(IntEnum):
    FIRST = 1


@settings(max_examples=50)
@given(st.text(st.characters()), st.dictionaries(st.text(st.characters()).map("x{}".format), VALUES))
def test_anything_can_be_logged(message: str, extra: dict[str, Any]) -> None:
    assert set(line(record(message, **extra))) >= OURS


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (7, 7),
        (2**63, str(2**63)),
        (10**5_000, "(a int that cannot be told)"),
        (1.5, 1.5),
        (float("-inf"), "-inf"),
        (Grade.FIRST, 1),
        (Colour.RED, "red"),
        ("\ud800", "\\ud800"),
        (b"\x00", r"b'\x00'"),
        ({1}, [1]),
        ((1, {"a": [None]}), [1, {"a": [None]}]),
        ({1: 2}, {"1": 2}),
        ([[[[[[]]]]]], [[[[[LEFT_OUT]]]]]),
        (Unspeakable(), "(a Unspeakable that cannot be told)"),
        (Bad(), "(a Bad that cannot be told)"),
        (OSError(2, "no\nsuch"), "[Errno 2] no\nsuch"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_json_is_told_as_text(value: object, told: object) -> None:
    assert line(record(value_=value))["value_"] == told


@pytest.mark.parametrize(
    ("message", "arguments", "told"),
    [
        ("%d of %s", ("a",), "%d of %s ['a']"),
        ("%s", (Unspeakable(),), "%s ['(a Unspeakable that cannot be told)']"),
        (Unspeakable(), (), "(a Unspeakable that cannot be told) []"),
    ],
    ids=["misfit", "argument", "message"],
)
def test_a_message_that_cannot_be_made_is_told_as_far_as_it_can(
    message: object, arguments: tuple[object, ...], told: str
) -> None:
    assert line(record(message, *arguments))["event"] == told


def test_what_is_ours_cannot_be_replaced() -> None:
    names = (*OURS - {"process"}, "exception", "stack", "_record", "_from_structlog", "_logger", "_name")

    read = line(record(**dict.fromkeys(names, "forged")))

    assert [read[name] for name in ("level", "event", "logger", "process")] == ["INFO", "said", "of.it", os.getpid()]
    assert {name: value for name, value in read.items() if value == "forged"} == {
        f"extra_{name}": "forged" for name in names
    }


def test_much_is_cut_and_says_so() -> None:
    read = line(record("m" * 9_999, text="t" * 9_999, many=list(range(9_999)), map=dict.fromkeys(range(9_999))))

    assert read["event"] == "m" * MAX_TEXT + LEFT_OUT
    assert read["text"] == "t" * MAX_TEXT + LEFT_OUT
    assert read["many"] == [*range(MAX_ITEMS), LEFT_OUT]
    assert len(read["map"]) == MAX_ITEMS + 1
    assert read["map"][LEFT_OUT] == LEFT_OUT


@pytest.mark.parametrize("text", ["a", "\u00e9", "\U0001f600", "\x00", "\ud800"])
def test_however_much_is_logged_the_line_has_its_bound_and_its_request(text: str) -> None:
    extra = {f"name {number}": [text * 9_999] * 9 for number in range(99)}

    read = line(record(text * 9_999, exc_info=failed(ValueError(text * 99_999)), **extra, request_id="r", trace_id="t"))

    assert (read["request_id"], read["trace_id"]) == ("r", "t")
    assert read[LEFT_OUT] == LEFT_OUT


def test_what_holds_itself_has_an_end() -> None:
    endless: list[Any] = []
    endless.append(endless)
    again: dict[str, Any] = {}
    again["a"] = again

    read = line(record(endless=endless, again=again))

    assert read["endless"] == [[[[[LEFT_OUT]]]]]
    assert read["again"] == {"a": {"a": {"a": {"a": {"a": LEFT_OUT}}}}}


def test_of_a_long_traceback_the_end_is_told() -> None:
    read = line(record(exc_info=failed(ValueError("z" * 99_999 + "the end"))))

    assert len(read["exception"]) == MAX_TRACEBACK + 1
    assert read["exception"].startswith(LEFT_OUT)
    assert read["exception"].endswith("the end")


def test_a_stack_is_told() -> None:
    assert line(record(stack_info="Stack:\n  here"))["stack"] == "Stack:\n  here"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pipe in the place of standard error, which takes a page at once."""
    reading, writing = os.pipe()
    fcntl(writing, F_SETPIPE_SZ, PIPE_BUF)
    monkeypatch.setattr(json_log, "STANDARD_ERROR", writing)
    yield reading, writing
    os.close(reading)


def all_of(reading: int, writers: Sequence[threading.Thread], writing: int) -> list[dict[str, Any]]:
    """The lines that they write to the pipe."""

    def end() -> None:
        for writer in writers:
            writer.join()
        os.write(writing, b"\0")
        os.close(writing)

    ending = threading.Thread(target=end)
    for thread in (*writers, ending):
        thread.start()
    written = b""
    while not written.endswith(b"\0"):
        written += os.read(reading, PIPE_BUF)
    ending.join()
    return [json.loads(one) for one in written.removesuffix(b"\0").splitlines()]


def saying(text: str, times: int) -> threading.Thread:
    """It says so with a handler of its own, as each process has: no lock is shared."""
    handler = WholeLines()
    handler.setFormatter(JsonFormatter())
    return threading.Thread(target=lambda: [handler.handle(record(text=text, more=[text] * 4)) for _ in range(times)])


def test_lines_that_are_written_at_once_are_not_mixed(narrow: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = narrow
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 60.0)

    lines = all_of(reading, [*(saying(str(number) * 3_000, 10) for number in range(3)), saying("a", 99)], writing)

    assert len(lines) == 129
    assert all(set(one["more"]) == {one["text"]} for one in lines)


def test_whoever_hangs_while_it_writes_is_not_waited_for_for_ever(
    narrow: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = narrow
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.02)
    hanging = os.open(f"/proc/self/fd/{writing}", os.O_WRONLY)
    flock(hanging, LOCK_EX)

    lines = all_of(reading, [saying("a", 2)], writing)

    assert len(lines) == 2
    os.close(hanging)


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    handler = WholeLines()
    handler.setFormatter(JsonFormatter())

    def descend() -> None:
        """Until there is no room on the stack to write a line, and then for another."""
        handler.handle(record())
        descend()

    with pytest.raises(RecursionError):
        descend()

    assert {json.loads(one)["logger"] for one in capfd.readouterr().err.splitlines()} == {"of.it"}


PROGRAM = """
import logging, os
from acuse.config import Settings
from acuse.entrypoints.logs import configure_logging
configure_logging(Settings.from_environment(os.environ))
raise ValueError("no\\nmore")
"""


def test_what_ends_a_process_is_a_line_too() -> None:
    def said(**environment: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        )
        assert ended.returncode == 1
        return ended.stderr

    told = json.loads(said(ACUSE_LOG_FORMAT="json"))

    assert (told["level"], told["event"]) == ("CRITICAL", "process ended by an error")
    assert told["exception"].endswith("ValueError: no\nmore")
    assert said().startswith("Traceback (most recent call last):\n")


def test_text_needs_no_structlog() -> None:
    program = PROGRAM.replace("raise", "import sys; print('structlog' in sys.modules); raise")
    text = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert text.stdout == "False\n"


LAMBDA = """
import logging
lambdas_own = logging.NullHandler()
logging.getLogger().addHandler(lambdas_own)
from acuse.entrypoints.lambdas.service import service
service()
print(logging.getLogger().handlers == [lambdas_own])
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_where_lambda_writes_objects_it_is_left_to_it(form: str) -> None:
    own = {"ACUSE_LOG_FORMAT": form, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    said = subprocess.run(
        [sys.executable, "-c", LAMBDA], check=True, capture_output=True, text=True, env={**os.environ, **own}
    )

    assert said.stdout == "True\n"
