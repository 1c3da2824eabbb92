"""How `acuse submit` finds the requests in a file."""

from __future__ import annotations

import io
from itertools import islice

import pytest

from acuse.entrypoints.submit import requests_in


class Endless(io.BytesIO):
    """A million lines and more; nobody may read it to its end."""

    def readline(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        return b'{"action":"delay"}\n'

    def read(self, size: int | None = -1, /) -> bytes:
        raise AssertionError(f"read({size})")


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        (b'{"a":1}', [b'{"a":1}']),
        (b'\xef\xbb\xbf{"a":1}\r\n', [b'{"a":1}']),
        (b'\n\n{"a":1}\n \n{"b":2}', [b'{"a":1}', b'{"b":2}']),
        (b'{\n  "a": 1.50\n}\n', [b'{\n  "a": 1.50\n}']),
        (b'\n{"a":\n{}}', [b'{"a":\n{}}']),
        (b'[{"a":1},\n {"b":\n2}]\n', [b'{"a":1}', b'{"b":\n2}']),
        (b"\n [\n]", []),
        (b"", []),
        (b"\n \n", []),
    ],
)
def test_they_are_an_object_an_array_or_one_a_line(text: bytes, requests: list[bytes]) -> None:
    assert [one.strip() for one in requests_in(io.BytesIO(text))] == requests


def test_no_more_lines_are_read_than_are_asked_for() -> None:
    assert len(list(islice(requests_in(Endless()), 5_000))) == 5_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{}\n\n[]\n", "line 3 is not a JSON object"),
        (b"\n{\n{}\n", "line 2 is not a JSON object"),
        (b'{"a":1} {"b":2}', "line 1 is not a JSON object"),
        (b"\xff\xfe{", "line 1 is not a JSON object"),
        (b'{"\xff":1}', "line 1 is not a JSON object"),
        (b'[{},"x"]', "item 2 is not a JSON object"),
        (b"[{}", "it is not a JSON array"),
    ],
)
def test_what_is_none_is_named(text: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(requests_in(io.BytesIO(text)))


def test_a_line_without_an_end_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acuse.entrypoints.submit.MAX_LINE", 20)

    with pytest.raises(ValueError, match="line 2 is longer than 20 bytes"):
        list(requests_in(io.BytesIO(b'{"a":1}\n{"a":"%b"}' % (b"x" * 100))))
