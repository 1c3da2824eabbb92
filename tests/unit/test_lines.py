from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acuse.entrypoints.api.lines import Lines, TooLong

LONGEST = 8
TOO_LONG = None
"""How the tests write a line that was too long."""

BODIES = st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b" ", b"\t", b"a", b"bc", b"x" * 7, b"y" * 20])).map(b"".join)


def lines_of(*pieces: bytes, longest: int = LONGEST) -> list[bytes | None]:
    lines = Lines(longest)
    found = [line for piece in pieces for line in lines.feed(piece)]
    found += lines.end()
    return [TOO_LONG if isinstance(line, TooLong) else line for line in found]


@given(BODIES, st.lists(st.integers(0, 100)))
def test_wherever_a_body_is_cut_its_lines_are_the_same(body: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[begin:end] for begin, end in pairwise(places)]
    single_bytes = [bytes([byte]) for byte in body]

    assert lines_of(*pieces) == lines_of(*single_bytes) == lines_of(body) == expected(body)


def expected(body: bytes) -> list[bytes | None]:
    lines = [line.removesuffix(b"\r") for line in body.split(b"\n")]
    return [line if len(line) <= LONGEST else TOO_LONG for line in lines if line.strip() or len(line) > LONGEST]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize(
    ("length", "found"), [(LONGEST - 1, b"x" * 7), (LONGEST, b"x" * 8), (LONGEST + 1, TOO_LONG), (100, TOO_LONG)]
)
def test_what_ends_a_line_does_not_count(length: int, found: bytes | None, end: bytes) -> None:
    assert lines_of(b"x" * length + end) == [found]


def test_lines_that_are_empty_are_passed_over() -> None:
    assert lines_of(b"\n\r\n \t\r\na\n\n\nb\n ") == [b"a", b"b"]


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n", b"\n\n", b" "])
def test_of_nothing_there_is_no_line(body: bytes) -> None:
    assert lines_of(body) == []


def test_the_last_line_needs_no_end() -> None:
    assert lines_of(b"a\nb") == lines_of(b"a\nb\n") == [b"a", b"b"]


def test_a_cr_within_a_line_belongs_to_it() -> None:
    assert lines_of(b"a\rb\n") == [b"a\rb"]


def test_a_line_is_told_as_soon_as_it_ends() -> None:
    lines = Lines(LONGEST)

    assert lines.feed(b"a") == []
    assert lines.feed(b"\nb") == [b"a"]
    assert lines.end() == [b"b"]
    assert lines.end() == []


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_without_bound_takes_little_memory_and_its_neighbours_are_whole(end: bytes) -> None:
    piece = b"x" * 10_000
    lines = Lines(100_000)
    assert lines.feed(b"before\n") == [b"before"]

    tracemalloc.start()
    for _ in range(1_000):
        assert lines.feed(piece) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    found = [*lines.feed(end + b"after" if end else b""), *lines.end()]

    assert peak < 500_000
    assert isinstance(found[0], TooLong)
    assert found[1:] == ([b"after"] if end else [])
