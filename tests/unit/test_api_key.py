from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import msgspec
import pytest

from acuse.domain.api_key import ApiKey, is_name, matching, new_key, parse

AT = datetime(2026, 1, 1, tzinfo=UTC)
ONES, TWOS = b"\x01" * 32, b"\x02" * 32
TEXT = "acuse_erp-1_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"


def test_a_new_key_is_kept_as_a_hash_and_given_as_a_text() -> None:
    secret = TEXT.rpartition("_")[2]

    key, text = new_key("erp-1", ONES, AT)

    assert text == TEXT
    assert key == ApiKey(name="erp-1", hash=sha256(secret.encode()).digest(), created_at=AT, revoked_at=None)


@pytest.mark.parametrize("random", [ONES, bytes(32), b"\xff" * 32, bytes(range(32)), b"\xfb\xef\xbe" * 10 + b"ab"])
def test_what_was_given_is_read_as_it_was_made(random: bytes) -> None:
    key, text = new_key("a", random, AT)

    parsed = parse(text)

    assert parsed is not None
    name, secret = parsed
    assert (name, len(secret)) == ("a", 43)
    assert sha256(secret.encode()).digest() == key.hash


def test_a_secret_may_hold_underscores_and_hyphens() -> None:
    secret = "_-" * 21 + "_"

    assert parse(f"acuse_a-b_{secret}") == ("a-b", secret)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acuse",
        "acuse__",
        TEXT[:-1],
        TEXT + "A",
        TEXT + "\n",
        TEXT + "=",
        " " + TEXT,
        TEXT.upper(),
        TEXT.replace("acuse", "other"),
        TEXT.replace("erp-1", ""),
        TEXT.replace("erp-1", "Erp"),
        TEXT.replace("erp-1", "é"),
        TEXT.replace("erp-1", "a" * 41),
        TEXT.replace("AQEB", "AQ+B"),
        TEXT.replace("AQEB", "AQéB"),
    ],
)
def test_what_is_no_key_is_not_read(text: str) -> None:
    key, _ = new_key("erp-1", ONES, AT)

    assert parse(text) is None
    assert matching(text, [key]) is None


@pytest.mark.parametrize("name", ["a", "0", "-", "erp-1", "a" * 40])
def test_a_name_is_of_small_letters_digits_and_hyphens(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "a" * 41, "A", "a_b", "a b", "a\n", "é", "٣"])
def test_another_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_a_key_matches_its_own_text_only() -> None:
    one, text_of_one = new_key("one", ONES, AT)
    two, text_of_two = new_key("two", TWOS, AT)

    assert matching(text_of_one, [one, two]) is one
    assert matching(text_of_two, [one, two]) is two
    assert matching(text_of_one.replace("one", "two"), [one, two]) is None
    assert matching(text_of_one, [two]) is None
    assert matching(text_of_one, []) is None


def test_an_unknown_name_matches_nothing_even_if_the_secret_is_known() -> None:
    key, text = new_key("one", ONES, AT)

    assert matching(text.replace("one", "none"), [key]) is None


def test_a_key_that_was_revoked_matches_nothing() -> None:
    key, text = new_key("one", ONES, AT)
    revoked = msgspec.structs.replace(key, revoked_at=AT + timedelta(days=1))

    assert matching(text, [revoked]) is None


def test_every_well_formed_key_costs_the_same_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("acuse.domain.api_key.compare_digest", compare)
    key, text = new_key("one", ONES, AT)
    revoked = msgspec.structs.replace(key, revoked_at=AT)

    for keys in ([key], [revoked], []):
        matching(text, keys)
    matching(text.replace("AQ", "BQ"), [key])

    assert compared == [(32, 32)] * 4
