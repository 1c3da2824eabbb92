"""What others wrote, so that all of it can be seen, and none of it is taken for a command."""

from __future__ import annotations

import unicodedata

UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode."""


def visible(text: str) -> str:
    """What cannot be seen, or would turn the text about, in the escapes of JSON; lines and tabs stay."""
    return "".join(one if one in "\n\t" or unicodedata.category(one) not in UNSEEN else _escaped(one) for one in text)


def _escaped(one: str) -> str:
    """The character in the escapes of JSON."""
    code = ord(one)
    if code < 0x10000:  # noqa: PLR2004
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
