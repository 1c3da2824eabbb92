"""What a line of the log is about."""

from __future__ import annotations

from acuse.domain.traceparent import trace_id


def subject(id_: str, part: int = 0, traceparent: str | None = None) -> dict[str, object]:
    """The members by which every line about a request, or about a part of one, can be found."""
    found: dict[str, object] = {"request_id": id_}
    if part:
        found["part"] = part
    if traceparent is not None:
        found["trace_id"] = trace_id(traceparent)
    return found
