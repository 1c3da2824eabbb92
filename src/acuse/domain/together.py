"""What comes of records that are stored all together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acuse.domain.outcome import Added, Conflict, Existing, Receipt, Together, Withheld

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from acuse.domain.record import Record


def together(records: Sequence[Record], stored: Mapping[str, Record]) -> list[Together]:
    """What comes of each, where those that are stored were there before; Added is what is to be stored, as a whole."""
    answers: list[Receipt] = []
    known = dict(stored)
    for record in records:
        there = known.get(record.id)
        if there is None:
            known[record.id] = record
            answers.append(Added(record))
        elif there.fingerprint == record.fingerprint:
            answers.append(Existing(there))
        else:
            answers.append(Conflict(there))
    if not any(isinstance(one, Conflict) for one in answers):
        return [*answers]
    return [one if isinstance(one, Conflict) or one.record.id in stored else Withheld() for one in answers]
