"""What was asked for and what was promised, for each request, part and key."""

from __future__ import annotations

from datetime import datetime

import msgspec

from acuse.domain.record import Key

Name = Key | str
"""Of a request or a part; or of a client's key."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the service promises about one of them. `content`: what the client sent, the part's value, the hash."""

    content: bytes
    status: str = "accepted"
    result: bytes | None = None
    detail: str | None = None
    parts: int | None = None


class Begun(msgspec.Struct, frozen=True):
    """From now on the state may be on disk."""

    name: Name
    state: State


class Done(msgspec.Struct, frozen=True):
    """From now on the state of that number, or a later one, must be on disk: somebody was told so."""

    name: Name
    number: int
    created_at: datetime | None = None


class Together(msgspec.Struct, frozen=True):
    """From now on all of them may be on disk, or none."""

    names: tuple[Name, ...]


Mark = Begun | Done | Together


class Expectation:
    """The states of one of them in the order in which they were asked for, and which of them was promised last."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.promised = -1
        self.created_at: datetime | None = None

    def read(self, event: Begun | Done) -> None:
        """It is as it was after the event."""
        match event:
            case Begun():
                self.states.append(event.state)
            case Done():
                self.promised = max(self.promised, event.number)
                self.created_at = event.created_at or self.created_at

    def first(self, status: str) -> int:
        """The first one of that status."""
        return next(number for number, state in enumerate(self.states) if state.status == status)

    def number(self, state: State) -> int:
        """The last one that it can be; -1 if it was never asked for."""
        found = (number for number in range(len(self.states) - 1, -1, -1) if self.states[number] == state)
        return next(found, -1)


class Ledger:
    """The expectations as the events so far make them."""

    def __init__(self) -> None:
        self.names: dict[Name, Expectation] = {}
        self.groups: list[tuple[Name, ...]] = []

    def read(self, event: Mark) -> None:
        """It is as it was after the event."""
        match event:
            case Together():
                self.groups.append(event.names)
            case Begun() | Done():
                self.names.setdefault(event.name, Expectation()).read(event)

    def promised(self) -> set[Name]:
        """Those of which somebody was told anything."""
        return {name for name, one in self.names.items() if one.promised >= 0}
