"""The page that an operator opens, on a real socket."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from acuse.domain.errors import Misconfigured, StoreUnavailable
from acuse.entrypoints.ops.overview_page import DASH
from tests.integration.watched import AT_ONCE, Watched, added, ended, ids, plain, watched
from tests.requests import new_id

if TYPE_CHECKING:
    import pytest

    from acuse.application.actions import Catalogue
    from tests.contract.backend import Backend


def test_the_page_says_that_all_is_well_and_how_much_came_and_went(backend: Backend) -> None:
    for _ in range(12):
        ended(backend, added(backend), result={})
    added(backend)
    backend.pass_time(timedelta(seconds=20))

    with watched(backend) as (client, _):
        response = client.get("/")

    read = plain(response)
    assert response.status_code == 200
    assert "<title>All is well · acuse</title>" in response.text
    assert "All is well 12 finished in the last 5 min, none failed." in read
    assert "Accepted 13 /min 13 in 5 min" in read
    assert "Finished 12 /min 12 in 5 min" in read
    assert "no more than 10 ms 95 %: no more than 10 ms" in read
    assert "Waiting 1 oldest for 20 s" in read
    assert "delay 1 0 0 20 s ago 13 12 0" in read
    assert f"limited 0 0 0 {DASH} 0 0 0" in read
    assert "No request is failed." in read


def test_failures_are_the_verdict_and_can_be_run_again_from_there(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="ValueError: no")
    backend.pass_time(timedelta(seconds=20))

    with watched(backend) as (client, _):
        response = client.get("/")

    read = plain(response)
    assert "Attention 1 of 1 request that ended in the last 5 min failed." in read
    assert "Failed requests Last failed first" in read
    assert "20 s ago delay raised ValueError: no" in read
    assert f'href="/requests/{failed.id}"' in response.text
    assert f'method="post" action="/requests/{failed.id}/retry"' in response.text


def test_who_is_silent_is_the_verdict_and_health_says_the_same(backend: Backend) -> None:
    with watched(backend, ages={"intake": 0.1, "worker-1": 12.0, "worker-2": float("inf")}) as (client, _):
        read = plain(client.get("/"))
        health = client.get("/health/ready")

    assert "worker-1 has been silent for 12 s. Not ready: worker-2 has not shown itself yet." in read
    assert (health.status_code, health.json()["checks"]) == (
        503,
        {"intake": True, "worker-1": False, "worker-2": False},
    )


def test_an_idle_service_is_well_though_nothing_is_known_of_its_latency(backend: Backend) -> None:
    with watched(backend) as (client, _):
        read = plain(client.get("/"))

    assert "All is well Ready. Nothing finished in the last 5 min, and nothing failed." in read
    assert f"Median latency {DASH} nothing finished in 5 min" in read
    assert "Nothing waits and nothing runs." in read


def test_what_waits_for_its_next_try_is_told_beside_its_bar(backend: Backend) -> None:
    added(backend)
    backend.queue.release(backend.queue.receive(1, AT_ONCE), timedelta(hours=1), charged=True)

    with watched(backend) as (client, _):
        assert "delay 1 delayed As a table" in plain(client.get("/"))


def test_the_charts_are_told_in_words_and_as_tables(backend: Backend) -> None:
    ended(backend, added(backend), result={})
    backend.pass_time(timedelta(seconds=20))

    with watched(backend) as (client, _):
        response = client.get("/")

    told = "In the last 15 min 1 were accepted, 1 finished and 0 failed."
    assert f'role="img" aria-label="{told}"' in response.text
    assert f"As a table {told} 10 seconds from accepted finished failed 00:00:00 1 1 0" in plain(response)
    assert response.text.count('role="img"') == 2, "nothing waits, so that there is no bar"


class Away:
    """A store that cannot be seen; how often it was looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def __getattr__(self, name: str) -> object:
        self.looks += 1
        raise StoreUnavailable("the <cellar> is locked")


def test_of_a_store_that_is_away_the_page_says_so_and_the_lists_are_503(backend: Backend) -> None:
    with watched(backend) as (client, sources):
        sources.overview = sources.store = Away()  # type: ignore[assignment]
        response = client.get("/")

        assert response.status_code == 200
        assert "Attention The store cannot be reached: the <cellar> is locked" in plain(response)
        assert "<cellar>" not in response.text
        for path in ("/requests", f"/requests/{new_id()}"):
            found = client.get(path)
            assert found.status_code == 503
            assert "Service Unavailable The store cannot be reached: the <cellar> is locked" in plain(found)
        assert client.get("/health/live").status_code == 200

        sources.overview, sources.store = backend.overview, backend.store


def test_actions_that_cannot_be_loaded_hide_nothing_of_the_store(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unloadable(_: Watched) -> Catalogue:
        raise Misconfigured("the actions in greet.py cannot be loaded")

    sent = added(backend)
    backend.pass_time(timedelta(seconds=20))
    with watched(backend) as (client, _):
        monkeypatch.setattr(Watched, "catalogue", property(unloadable), raising=False)
        assert "delay 1 0 0 20 s ago 1 0 0" in plain(client.get("/"))
        assert ids(client.get("/requests")) == [sent.id]


def test_one_look_serves_all_who_watch(backend: Backend) -> None:
    with watched(backend) as (client, sources):
        away = Away()
        sources.overview = away  # type: ignore[assignment]
        for _ in range(20):
            assert client.get("/").status_code == 200

    assert away.looks == 1
