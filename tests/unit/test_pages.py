from __future__ import annotations

import threading

import pytest

from acuse.domain.listing import Filter, Order, Page
from acuse.entrypoints.filters import pages
from tests.requests import record

WANTED = Filter()


class Sparse:
    """Pages of so many records, some of none."""

    def __init__(self, *sizes: int) -> None:
        self._sizes = sizes
        self.asked: list[tuple[int, str | None]] = []

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        assert wanted is WANTED
        self.asked.append((limit, after))
        place = int(after or 0)
        records = [record() for _ in range(min(self._sizes[place], limit))]
        is_last = place + 1 == len(self._sizes)
        return Page(records=records, order=Order.NONE, next=None if is_last else str(place + 1))


def test_an_empty_page_is_not_the_last() -> None:
    found = pages(Sparse(0, 2, 0, 0, 1).find, WANTED, 10, threading.Event())

    assert [len(page.records) for page in found] == [0, 2, 0, 0, 1]


def test_they_end_as_soon_as_the_limit_is_reached() -> None:
    overview = Sparse(0, 2, 0, 3, 1)

    found = list(pages(overview.find, WANTED, 10, threading.Event(), limit=4, after="1"))

    assert [len(page.records) for page in found] == [2, 0, 2]
    assert overview.asked == [(4, "1"), (2, "2"), (2, "3")]
    assert found[-1].next == "4"


def test_no_page_is_asked_for_once_they_are_to_stop() -> None:
    stopped = threading.Event()
    found = pages(Sparse(1, 1, 1).find, WANTED, 10, stopped)

    next(found)
    stopped.set()

    with pytest.raises(StopIteration):
        next(found)
