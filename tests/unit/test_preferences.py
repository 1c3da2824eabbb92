from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acuse.entrypoints.api.preferences import NONE, Preferences, applied, parse_prefer

ALL = Preferences(wait=5, minimal=True, strict=True)
TOKENS = st.text("!#$%&'*+.^_`|~09AZaz-", min_size=1, max_size=6)
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
UNITS = (
    "a", " ", "\t", ",", ";", "=", '"', "\\", '\\"', "a=", "a;", "a ;", "; ", ";a", " ; a ", ";a=b", ' ; a = "b"',
    "a=b,",
)  # fmt: skip
SPACES = st.sampled_from(["", " ", "\t", "  "])
PARAMETERS = st.lists(
    st.builds("{};{}".format, SPACES, SPACES)
    | st.builds(" ; {}{}={}{}".format, TOKENS, SPACES, SPACES, TOKENS | QUOTED),
    max_size=3,
).map("".join)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("wait=5", Preferences(wait=5)),
        ("wait=0", Preferences(wait=0)),
        ("wait=0060", Preferences(wait=60)),
        ("return=minimal", Preferences(minimal=True)),
        ("return=representation", NONE),
        ("handling=strict", Preferences(strict=True)),
        ("handling=lenient", NONE),
        ("wait=5, return=minimal, handling=strict", ALL),
        ("handling=strict,return=minimal,wait=5", ALL),
        ("WAIT=5, Return=Minimal, hAnDlInG=sTrIcT", ALL),
        ('wait="5", return="minimal", handling="strict"', ALL),
        ('return="min\\imal", wait="\\5"', Preferences(wait=5, minimal=True)),
        (" \twait = 5 ,\treturn\t=\tminimal, handling =strict ", ALL),
        (",, ,wait=5,,return=minimal, ,handling=strict,\t,", ALL),
        ('wait=5; a; b=c; d="e;f,g\\"=";;, return=minimal ; x ;, handling=strict;', ALL),
        ("respond-async, wait=5, depth-noroot; x=1", Preferences(wait=5)),
        ('note="wait=5, return=minimal"', NONE),
        ("other; wait=5; return=minimal", NONE),
        ("", NONE),
        (" ", NONE),
        (",", NONE),
        ("wait=5\n", NONE),
        ("\n", NONE),
    ],
)  # fmt: skip
def test_what_is_known_is_found_wherever_it_stands(header: str, found: Preferences) -> None:
    assert parse_prefer(header) == found


@pytest.mark.parametrize(
    "header",
    [
        "wait", "wait=", 'wait=""', "wait=-1", "wait=+1", "wait=1.5", "wait=1e3", "wait=1_0", "wait=\u00b2",
        "wait=five", "wait=9999999999999999999999", 'wait=" 5"', "return", 'return=""', "return=none",
        "return=minimally", "handling", "handling=stricter", 'handling="strict,"', 'handling="strict\\""',
        'handling="\\"strict"',
        "=5", "=", ";", "; wait=5", '"wait"=5', "wait=5 return=minimal", "wait=5=6", "wait=5@", 'wait="5',
        'wait="5\\"', "wait:5", "w\u00e4it=5", "wait=\x00", "\x00", "wait=5;=",
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_ignored(header: str) -> None:
    assert parse_prefer(header) == NONE


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("wait=5, wait=6", Preferences(wait=5)),
        ("wait=x, wait=6", NONE),
        ("return=representation, return=minimal", NONE),
        ("handling=strict, HANDLING=lenient", Preferences(strict=True)),
    ],
)
def test_of_one_that_is_repeated_the_first_counts(header: str, found: Preferences) -> None:
    assert parse_prefer(header) == found


def test_what_comes_before_nonsense_counts() -> None:
    assert parse_prefer("wait=5, @, return=minimal") == Preferences(wait=5)


@given(st.lists(st.tuples(TOKENS.map("x{}".format), SPACES, TOKENS | QUOTED, PARAMETERS)), st.data())
def test_any_others_may_stand_around_it(others: list[tuple[str, str, str, str]], data: st.DataObject) -> None:
    written = [f"{name}{space}={space}{value}{parameters}" for name, space, value, parameters in others]
    for one in ("wait=5", "return=minimal", "handling=strict"):
        written.insert(data.draw(st.integers(0, len(written))), one + data.draw(PARAMETERS))
    comma = data.draw(st.sampled_from([",", ", ", " ,\t", ",,"]))

    assert parse_prefer(comma.join(written)) == ALL


@given(st.text(st.characters(max_codepoint=255)) | st.text('wait=5;," \\'))
def test_anything_at_all_can_be_read(header: str) -> None:
    found = parse_prefer(header)

    assert found.wait is None or 0 <= found.wait < 1_000_000_000


@pytest.mark.parametrize(
    "header",
    [
        *(unit * (60_000 // len(unit)) for unit in UNITS),
        *(unit * (60_000 // len(unit)) + "@" for unit in UNITS),
        *("a" + unit * (60_000 // len(unit)) + "@" for unit in UNITS),
        "a" + " " * 60_000 + "@",
        "a;" + " " * 60_000 + "@",
        'a="' + "\\a" * 30_000,
        'a;b="' + "x" * 60_000,
        "a" + ' ; b = "c"' * 6_000 + ' ; b = "c',
    ],
    ids=lambda header: repr(header[:8] + header[-1]),
)  # fmt: skip
def test_no_header_takes_long_to_read(header: str) -> None:
    began = time.thread_time()

    parse_prefer(header)

    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize(
    ("preferences", "words"),
    [
        (NONE, []),
        (Preferences(wait=0), [b"wait=0"]),
        (Preferences(minimal=True), [b"return=minimal"]),
        (ALL, [b"wait=5, return=minimal, handling=strict"]),
    ],
)
def test_the_field_names_those_that_were_honoured(preferences: Preferences, words: list[bytes]) -> None:
    assert applied(preferences) == [(b"preference-applied", word) for word in words]


@given(st.builds(Preferences, st.none() | st.integers(0, 999_999_999), st.booleans(), st.booleans()))
def test_what_was_honoured_reads_as_what_was_asked_for(preferences: Preferences) -> None:
    assert parse_prefer(b"".join(value for _, value in applied(preferences)).decode()) == preferences
