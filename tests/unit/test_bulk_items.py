"""A body that is here as a whole: how many items it has is known before anything is made of them."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acuse.domain.errors import Malformed
from acuse.entrypoints.api.answers import Refused
from acuse.entrypoints.api.items import items_of_array, items_of_lines
from acuse.entrypoints.api.lines import TooLong

VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.text(alphabet='",[]{}\\a', max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='",]', max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(items=st.lists(VALUES, min_size=1, max_size=8), most=st.integers(1, 8))
def test_an_array_is_taken_if_it_has_no_more_items_than_may_be(items: list[object], most: int) -> None:
    body = json.dumps(items).encode()

    if len(items) > most:
        with pytest.raises(Refused, match="at most"):
            items_of_array(body, longest=1_000, most=most)
    else:
        assert [json.loads(bytes(one)) for one in items_of_array(body, longest=1_000, most=most)] == items  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b'["' + b'\\"' * 100_000, b'["' * 10, b"[" * 100_000, b'["a,b,c,d', b"[1,2,3,4,5"])
def test_what_is_no_array_is_malformed_or_too_much_and_soon(body: bytes) -> None:
    with pytest.raises((Malformed, Refused)):
        items_of_array(body, longest=1_000, most=2)


@pytest.mark.parametrize("items_of", [items_of_array, items_of_lines])
def test_too_many_items_take_no_memory(items_of: type) -> None:
    body = b"[" + b"7," * 1_000_000 + b"7]" if items_of is items_of_array else b"7\n" * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            items_of(body, longest=1_000, most=10_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_an_item_that_is_too_long_is_none() -> None:
    first, second = items_of_array(b'["' + b"x" * 20 + b'",7]', longest=10, most=2)

    assert isinstance(first, TooLong)
    assert second == b"7"
    assert [type(one) for one in items_of_lines(b"x" * 20 + b"\n7\n\n8", longest=10, most=3)] == [TooLong, bytes, bytes]
