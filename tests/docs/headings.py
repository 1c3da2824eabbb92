"""The headings of a page."""

from __future__ import annotations

import re


def slugs(text: str) -> set[str]:
    """Of the headings, as links name them."""
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
