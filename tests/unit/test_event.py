"""What came of a run, in a word."""

from __future__ import annotations

import pytest

from acuse.domain.event import outcome_of
from acuse.domain.outcome import Again, Done, Failed, Outcome, Planned
from acuse.domain.record import Failure, Reason

LATER = Failure(Reason.RETRIES_EXHAUSTED, "later")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Done(b"7"), "finished"),
        (Planned((b"1",)), "finished"),
        (Again(LATER), "retry"),
        *((Again(Failure(reason, "")), reason.value) for reason in Reason if reason is not Reason.RETRIES_EXHAUSTED),
        *((Failed(Failure(reason, "")), reason.value) for reason in Reason),
        (None, "given-back"),
    ],
)
def test_it_is_of_a_closed_set(outcome: Outcome | None, word: str) -> None:
    assert outcome_of(outcome) == word
