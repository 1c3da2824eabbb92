from __future__ import annotations

import gzip
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acuse.entrypoints.api import problems
from acuse.entrypoints.api.answers import CLOSE, Refused
from acuse.entrypoints.api.expansion import PIECE, Expansion

PLENTY = 10_000_000
DATA = st.binary() | st.builds(lambda data, times: data * times, st.binary(max_size=50), st.integers(0, 10_000))
ZIPPED = gzip.compress(b'{"some": "text"}', mtime=0)


def expanded(*pieces: bytes, most: int = PLENTY) -> list[bytes]:
    expansion = Expansion(most)
    found = [one for piece in pieces for one in expansion.expand(piece) if one]
    expansion.end()
    return found


@given(st.lists(DATA, min_size=1, max_size=4), st.integers(0, 9), st.lists(st.integers(0, 2_000)))
def test_wherever_it_is_cut_and_of_however_many_members_it_is(
    members: list[bytes], level: int, cuts: list[int]
) -> None:
    zipped = b"".join(gzip.compress(member, level) for member in members)
    places = [0, *sorted(min(cut, len(zipped)) for cut in cuts), len(zipped)]

    found = expanded(*(zipped[begin:end] for begin, end in pairwise(places)))

    assert b"".join(found) == b"".join(members)
    assert all(0 < len(piece) <= PIECE for piece in found)


def test_a_byte_at_a_time() -> None:
    zipped = gzip.compress(b"x" * 300_000) + ZIPPED

    assert b"".join(expanded(*(bytes([byte]) for byte in zipped))) == b"x" * 300_000 + b'{"some": "text"}'


def test_a_head_may_have_a_name_a_comment_and_more() -> None:
    flags = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\x03\x00abc" + b"name\x00" + b"comment\x00"

    assert expanded(flags + ZIPPED[10:]) == [b'{"some": "text"}']


@pytest.mark.parametrize("most", [0, 1, 1_000, PIECE - 1, PIECE, PIECE + 1, 200_000])
def test_the_bound_itself_is_taken_and_one_byte_more_is_not(most: int) -> None:
    assert sum(map(len, expanded(gzip.compress(b"x" * most), most=most))) == most

    with pytest.raises(Refused) as caught:
        expanded(gzip.compress(b"x" * (most + 1)), most=most)

    assert caught.value.problem is problems.TOO_LARGE
    assert CLOSE in caught.value.headers


def test_the_bound_holds_for_all_members_together() -> None:
    with pytest.raises(Refused):
        expanded(gzip.compress(b"x" * 600) * 2, most=1_000)


def test_a_bomb_takes_little_memory_and_ends_at_the_bound() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    tracemalloc.start()
    sizes: list[int] = []

    with pytest.raises(Refused):
        sizes.extend(map(len, Expansion(5_000_000).expand(bomb)))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 5_000_000 - PIECE < sum(sizes) <= 5_000_000
    assert peak < 1_000_000


def test_it_ends_with_its_sum_and_its_length() -> None:
    for end in range(len(ZIPPED)):
        with pytest.raises(Refused) as caught:
            expanded(ZIPPED[:end])
        assert (caught.value.problem, caught.value.detail) == (problems.MALFORMED, "the gzip ends too early")


def test_the_second_member_must_be_whole_too() -> None:
    for end in range(1, len(ZIPPED)):
        with pytest.raises(Refused, match="ends too early"):
            expanded(ZIPPED + ZIPPED[:end])


@pytest.mark.parametrize(
    "pieces",
    [
        [b"{}"],
        [zlib.compress(b"{}")],
        [zlib.compress(b"{}", wbits=-15)],
        [b"\x1f\x8b\x07" + ZIPPED[3:]],
        [ZIPPED + b"garbage"],
        [ZIPPED, b"garbage"],
        [ZIPPED + b"\n"],
        [ZIPPED + bytes(8)],
        [ZIPPED[:-8] + bytes([ZIPPED[-8] ^ 1]) + ZIPPED[-7:]],
        [ZIPPED[:-1] + b"\x01"],
        [ZIPPED[:15] + bytes(20)],
    ],
    ids=["text", "zlib", "deflate", "method", "tail", "later", "newline", "zeros", "sum", "length", "inside"],
)
def test_what_is_not_gzip_to_its_end_is_refused(pieces: list[bytes]) -> None:
    with pytest.raises(Refused) as caught:
        expanded(*pieces)

    assert caught.value.problem is problems.MALFORMED


@given(st.integers(0, len(ZIPPED) - 1), st.integers(0, 255))
def test_a_byte_that_changed_is_noticed_or_means_the_same(place: int, byte: int) -> None:
    changed = ZIPPED[:place] + bytes([byte]) + ZIPPED[place + 1 :]

    assert outcome(changed) in (b'{"some": "text"}', problems.MALFORMED)


def outcome(zipped: bytes) -> bytes | problems.Problem:
    try:
        return b"".join(expanded(zipped))
    except Refused as refused:
        return refused.problem


def test_of_nothing_there_is_no_gzip() -> None:
    with pytest.raises(Refused, match="ends too early"):
        expanded()
    with pytest.raises(Refused, match="ends too early"):
        expanded(b"")
    assert expanded(gzip.compress(b"")) == []
