"""Requests as a list, on a real socket."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.domain.errors import Misconfigured
from acuse.domain.listing import Order, Page
from tests.integration.watched import added, ended, ids, link, plain, split, watched
from tests.requests import new_id

if TYPE_CHECKING:
    from acuse.domain.listing import Filter
    from tests.contract.backend import Backend


def test_requests_are_listed_page_by_page_each_once(backend: Backend) -> None:
    sent = []
    for _ in range(120):
        sent.append(added(backend).id)
        backend.pass_time(timedelta(seconds=1))

    with watched(backend) as (client, _):
        found: list[str] = []
        pages = 0
        path: str | None = "/requests?status=accepted"
        while path:
            response = client.get(path)
            assert response.status_code == 200
            found += ids(response)
            pages += 1
            assert link(response, "first") == ("/requests?status=accepted" if pages > 1 else None)
            path = link(response, "next")

    assert pages == 3
    assert found == sent[::-1]


def test_a_list_says_in_which_order_it_is_and_what_became_of_each(backend: Backend) -> None:
    ended(backend, added(backend), result={"x": 1})
    failed = ended(backend, added(backend), detail="ValueError: no")
    split(backend, 10)
    backend.pass_time(timedelta(minutes=3))

    with watched(backend) as (client, _):
        read = plain(client.get("/requests"))

    assert "3 requests, newest first" in read
    assert f"3 min ago failed delay {failed.id} 0 ms 1 raised ValueError: no Run again request {failed.id}" in read
    assert read.count("Run again request") == 1
    assert "9 of 10 parts ended" in read


def test_a_filter_leaves_what_is_wanted_and_the_form_shows_it(backend: Backend) -> None:
    old = added(backend)
    ended(backend, old)
    backend.pass_time(timedelta(minutes=10))
    limited = ended(backend, added(backend, action="limited"), detail="no")
    backend.pass_time(timedelta(seconds=30))
    new = added(backend)

    with watched(backend) as (client, _):
        for query, wanted in (
            ("status=failed", [limited.id]),
            ("action=limited", [limited.id]),
            ("status=accepted&action=delay&since=&until=", [new.id]),
            ("until=2026-01-01T00:10", [old.id]),
            ("since=2026-01-01T00:10&status=", [new.id, limited.id]),
            ("since=2026-01-01T01:10:30%2B01:00", [new.id]),
            ("until=2026-01-01T00:10:30Z", [limited.id, old.id]),
        ):
            response = client.get(f"/requests?{query}")

            assert (response.status_code, ids(response)) == (200, wanted), query
        response = client.get("/requests?status=failed&action=delay&since=2026-01-01T00:05&until=2026-01-02T00:00")

    assert "<option selected>failed</option>" in response.text
    assert '<option value="delay" selected>delay</option>' in response.text
    assert "No request is like that." in plain(response)


def test_requests_of_an_action_that_is_not_known_here_are_found_too(backend: Backend) -> None:
    gone = added(backend, action="gone")
    added(backend)

    with watched(backend) as (client, _):
        response = client.get("/requests?action=gone")

    assert (response.status_code, ids(response)) == (200, [gone.id])
    assert '<option value="gone" selected>gone</option>' in response.text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-01-01T00:05", "2026-01-01T00:05"),
        ("2026-01-01T01:05:07+01:00", "2026-01-01T00:05:07"),
        ("2026-01-01T00:05:07.123456Z", "2026-01-01T00:05:07.123"),
        ("2026-01-01", "2026-01-01T00:00"),
        ("yesterday", ""),
    ],
)
def test_a_time_is_shown_in_the_form_as_browsers_take_it(backend: Backend, text: str, shown: str) -> None:
    with watched(backend) as (client, _):
        response = client.get("/requests", params={"since": text})

    assert f'name="since" step="any" value="{shown}"' in response.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=lost", "There is no such status."),
        ("since=yesterday", "`since` is no date and time"),
        ("until=2026-13-01T00:00", "`until` is no date and time"),
        ("since=0001-01-01T00:00%2B14:00", "`since` is no date and time"),
        ("since=2026-01-01T00:00&until=2026-01-01T00:00", "Nothing is created from then and before that."),
        ("id=nonsense", "That is no id of a request"),
        ("id=00000000-0000-0000-0000-000000000000", "That is no id of a request"),
        ("after=%00nonsense", "There is no such page of the list"),
    ],
)
def test_what_cannot_be_looked_for_is_said_with_400(backend: Backend, query: str, said: str) -> None:
    with watched(backend) as (client, _):
        response = client.get(f"/requests?{query}")

    assert response.status_code == 400
    assert said in plain(response)
    assert "<b>" not in response.text


def test_a_store_that_cannot_be_used_is_no_mistake_of_who_asks(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(*_: object) -> Page:
        raise Misconfigured("the database has another schema")

    monkeypatch.setattr(backend.overview, "find", find)
    with watched(backend) as (client, _):
        answer = client.get("/requests")

    assert (answer.status_code, "the database has another schema" in answer.text) == (503, True)


def test_an_id_leads_to_its_request(backend: Backend) -> None:
    id_ = new_id()
    with watched(backend) as (client, _):
        response = client.get(f"/requests?id=%20{id_.upper()}&status=failed")

    assert (response.status_code, response.headers["location"]) == (303, f"/requests/{id_}")


class Scanned:
    """One that finds nothing on its first page, as DynamoDB may."""

    def find(self, wanted: Filter, limit: int, after: str | None) -> Page:
        del wanted, limit
        return Page(records=[], order=Order.NONE, next=None if after else "further on")


def test_a_page_may_be_empty_and_not_the_last(backend: Backend) -> None:
    with watched(backend) as (client, sources):
        sources.overview = Scanned()  # type: ignore[assignment]
        first = client.get("/requests?action=delay")
        assert "Nothing on this page, but there is more to look through. Look further" in plain(first)
        assert link(first, "next") == "/requests?action=delay&after=further+on"

        last = client.get(str(link(first, "next")))
        assert "No request is like that from here on. First page" in plain(last)
        assert link(last, "next") is None
