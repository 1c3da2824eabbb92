from __future__ import annotations

import pytest

from acuse.domain.traceparent import trace_id, valid_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


def test_a_valid_one_is_kept() -> None:
    assert valid_traceparent(f"00-{TRACE}-{SPAN}-01") == f"00-{TRACE}-{SPAN}-01"


def test_one_of_a_later_version_is_read_as_version_00() -> None:
    assert valid_traceparent(f"cc-{TRACE}-{SPAN}-01-what-comes-after") == f"00-{TRACE}-{SPAN}-01"
    assert valid_traceparent(f"cc-{TRACE}-{SPAN}-01") == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_an_invalid_one_is_ignored(header: str) -> None:
    assert valid_traceparent(header) is None


def test_the_trace_is_told_from_the_span() -> None:
    assert trace_id(f"00-{TRACE}-{SPAN}-01") == TRACE
