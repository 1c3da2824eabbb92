"""The fuzzer finds nothing, and what it stands on finds whatever is broken."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from acuse.domain import submission as module
from acuse.domain.errors import Malformed
from tests.fuzz.oracle import MAX_BODY, Oracle
from tests.fuzz.seeds import request, seeds

ROOT = Path(__file__).parents[2]
BREAK = """
import json
from acuse.domain import submission
from tests.fuzz.__main__ import main
submission._strict = json.JSONDecoder(parse_int=submission._integer, parse_float=submission._number,
                                      parse_constant=submission._not_a_number)
main()
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments, "--seed", "1", "--folder", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_what_it_begins_with_holds() -> None:
    oracle = Oracle()

    for seed in seeds():
        oracle.check(seed)


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    ended = run(tmp_path, "-m", "tests.fuzz", "--runs", "10000")

    assert ended.returncode == 0, ended.stderr[-3_000:]
    assert "Seed: 1\n" in ended.stderr
    assert "Done 10000 runs" in ended.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["corpus"]


def test_a_finding_ends_the_run_and_is_kept(tmp_path: Path) -> None:
    ended = run(tmp_path, "-c", BREAK, "--runs", "10000")

    assert ended.returncode != 0
    assert "though malformed" in ended.stderr + ended.stdout
    [found] = tmp_path.glob("crash-*")
    Oracle().check(found.read_bytes())


def strict(**hooks: Callable[[Any], Any]) -> json.JSONDecoder:
    sound = {
        "object_pairs_hook": module._object,
        "parse_int": module._integer,
        "parse_float": module._number,
        "parse_constant": module._not_a_number,
    }
    return json.JSONDecoder(**{**sound, **hooks})  # type: ignore[arg-type]


def with_nul(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise Malformed("twice")
    return dict(pairs)


def without_comparison(body: bytes) -> tuple[dict[str, Any], bytes] | None:
    try:
        return module._flat.decode(body), msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def without_search_for_escapes(body: bytes) -> tuple[dict[str, Any], bytes] | None:
    try:
        members = module._flat.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    compact = module._plain.encode(members)
    return (members, compact) if compact == msgspec.json.format(body, indent=-1) else None


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_strict", strict(object_pairs_hook=dict)),
        ("_strict", strict(parse_float=float)),
        ("_strict", strict(parse_float=Decimal)),
        ("_strict", strict(parse_int=int)),
        ("_strict", strict(parse_constant=float)),
        ("_strict", strict(object_pairs_hook=with_nul)),
        ("_canonical", msgspec.json.Encoder(decimal_format="number")),
        ("_canonical", msgspec.json.Encoder(order="sorted")),
        ("_quickly_decoded", without_comparison),
        ("_quickly_decoded", without_search_for_escapes),
        ("_flat", msgspec.json.Decoder(dict[str, str | int | bool | None])),
        ("_flat", msgspec.json.Decoder(dict[str, str | float | bool | None])),
        ("_is_deeper", lambda _value, _limit: False),
        ("MAX_DEPTH", 31),
        ("MAX_DEPTH", 29),
        ("MAX_DIGITS", 39),
        ("MAX_EXPONENT", 126),
        ("MIN_EXPONENT", -131),
        ("MIN_EXPONENT", -129),
        ("STAMPS", frozenset({"result"})),
        ("UUID", re.compile("[0-9a-f-]{36}")),
        ("_with_id", lambda compact, _id: compact),
    ],
)
def test_a_broken_guard_is_found_from_what_it_begins_with(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: object
) -> None:
    monkeypatch.setattr(module, name, broken)
    oracle = Oracle()

    with pytest.raises(Exception):  # noqa: B017, PT011  (an AssertionError, or what the parser let through)
        deque(map(oracle.check, seeds()))


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [
        (b'{"a":1', b',"a":1', b"}"),
        (b"[", b"[],", b"0]"),
        (b"", b"[", b""),
        (b"[1", b"1", b"]"),
        (b"[1.", b"0", b"1]"),
        (b"[0.", b"0", b"]"),
        (b"[", b"0.1,", b"0]"),
        (b'["', rb"\u00e9", b'"]'),
        (b'["', b"\xc3\xa9", b'"]'),
        (b'["', b"\\\\", b'"]'),
        (b"[", b" ", b"]"),
        (b'{"', b"_", b'":1}'),
        (b"[1e", b"9", b"]"),
    ],
)
@pytest.mark.parametrize("framed", [False, True])
def test_the_largest_bodies_hold_in_bounded_time(before: bytes, piece: bytes, after: bytes, *, framed: bool) -> None:
    room = MAX_BODY - len(request(b"")) - len(before) - len(after)
    text = before + piece * (room // len(piece)) + after

    Oracle().check(request(text) if framed else text)


def test_many_names_hold_in_bounded_time() -> None:
    names = b"".join(b'"%x":1,' % number for number in range(20_000))

    Oracle().check(request(b"0")[:-1] + b"," + names + b'"_":{%b"a":1}}' % names[:1_000])
    Oracle().check(request(b"{%b}" % names[:-1]))
