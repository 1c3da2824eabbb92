"""The header field `Prefer` (RFC 7240): what the client would like, if it can be had."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  (the grammar's word for a name)
_WORD = rf'(?:{_TOKEN}|"(?:[^"\\]|\\.)*")'
_PAIR = rf"({_TOKEN})(?:[ \t]*=[ \t]*({_WORD}))?"
_PREFERENCE = re.compile(rf"[ \t]*{_PAIR}((?:[ \t]*;(?:[ \t]*{_PAIR})?)*)[ \t]*(?:,|\Z)")
_EMPTY = re.compile(r"[ \t]*(?:,|\Z)")
_PAIRED = re.compile(r"\\(.)")
_SECONDS = re.compile(r"[0-9]{1,18}", re.ASCII)


class Preferences(NamedTuple):
    """Those that are known here. `wait` is in seconds."""

    wait: int | None = None
    minimal: bool = False
    strict: bool = False


NONE = Preferences()


def parse_prefer(header: str) -> Preferences:
    """What is asked for; what is unknown, or makes no sense, is ignored. Of one that is repeated the first counts."""
    found: dict[str, str] = {}
    place = 0
    while place < len(header):
        match = _PREFERENCE.match(header, place)
        if match:
            found.setdefault(match[1].lower(), _value(match[2] or ""))
        elif not (match := _EMPTY.match(header, place)):
            break  # What follows cannot be told apart any more.
        place = match.end()
    wait = found.get("wait", "")
    return Preferences(
        wait=int(wait) if _SECONDS.fullmatch(wait) else None,
        minimal=found.get("return", "").lower() == "minimal",
        strict=found.get("handling", "").lower() == "strict",
    )


def _value(word: str) -> str:
    return _PAIRED.sub(r"\1", word[1:-1]) if word.startswith('"') else word


def applied(preferences: Preferences) -> list[tuple[bytes, bytes]]:
    """The field that says which were honoured; none, if none was."""
    words = [
        *([f"wait={preferences.wait}"] if preferences.wait is not None else []),
        *(["return=minimal"] if preferences.minimal else []),
        *(["handling=strict"] if preferences.strict else []),
    ]
    return [(b"preference-applied", ", ".join(words).encode())] if words else []
