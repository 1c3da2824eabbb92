"""Which numbers are the same content, and what is said of those that are not taken."""

from __future__ import annotations

import pytest

from acuse.domain.errors import Invalid, Malformed
from acuse.domain.submission import parse
from tests.unit.test_submission import body


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "1.50"),
        ("1.5", "15e-1"),
        ("0.125", "0.125000000000000000000000"),
        ("-2.50", "-25E-1"),
        ("0.0", "-0"),
        ("0e9", "0"),
        ("10.0", "10"),
    ],
)
def test_equal_numbers_are_the_same_content(one: str, other: str) -> None:
    assert parse(body(f'"a":{one}')).fingerprint == parse(body(f'"a":{other}')).fingerprint


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ('"a":1E126', "a number is outside the magnitudes 1e-130 to 1e126"),
        ('"a":1e99999999999999999999999', "a number has an exponent beyond any use"),
        ('"a":0.' + "1" * 39, "a number has more than 38 significant digits"),
        ('"\\u0000":1', "a name holds the character NUL"),
        ('"a":"\\ud800"', "a string holds a lone surrogate"),
        ('"a":NaN', "NaN is not JSON"),
    ],
)
def test_what_is_said_is_a_sentence(member: str, says: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(body(member))

    assert str(caught.value) == says


def test_what_an_id_must_be_is_said() -> None:
    with pytest.raises(Invalid) as caught:
        parse(body(id_="x"))

    [error] = caught.value.errors
    assert error.detail == "expected a UUID as 8-4-4-4-12 hexadecimal digits, neither the nil nor the max"
