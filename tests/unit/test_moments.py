from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from acuse.domain.errors import Misconfigured
from acuse.entrypoints.moments import moment_of
from tests.requests import CREATED


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("6h", CREATED - timedelta(hours=6)),
        ("2026-11-24T10:53:00Z", datetime(2026, 11, 24, 10, 53, tzinfo=UTC)),
        ("2026-11-24t10:53:00z", datetime(2026, 11, 24, 10, 53, tzinfo=UTC)),
        ("2026-11-24 10:53:00.5+02:00", datetime(2026, 11, 24, 8, 53, 0, 500_000, tzinfo=UTC)),
        ("2026-11-24T10:53:00.123456789-00:30", datetime(2026, 11, 24, 11, 23, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_age_or_a_time_with_its_offset(text: str, moment: datetime) -> None:
    assert moment_of(CREATED, text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "6", "6 h", "now", "2026-11-24", "2026-11-24T10:53:00", "2026-11-24T10:53Z", "20261124T105300Z", "1795520000"],
)
def test_what_is_neither_is_refused_with_what_is_wanted(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"an age, such as 6h .* or a moment, such as 2026-11-24T10:53:00Z"):
        moment_of(CREATED, text)


@pytest.mark.parametrize(
    "text", ["2026-02-30T00:00:00Z", "2026-11-24T24:53:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"]
)
def test_a_time_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="is no moment"):
        moment_of(CREATED, text)


def test_an_age_of_nothing_is_none() -> None:
    with pytest.raises(Misconfigured, match="is no age"):
        moment_of(CREATED, "0h")
