"""The page of one request, and running it again, on a real socket."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from acuse.config import Settings
from acuse.domain.record import Status
from tests.integration.watched import FORM, added, ended, link, plain, split, watched
from tests.requests import CREATED, new_id, submission

if TYPE_CHECKING:
    from tests.contract.backend import Backend

SAME = "".join(f"{name}: {value}\r\n" for name, value in FORM.items())
PATIENCE_SECONDS = 60.0
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_is_shown_with_what_was_sent_what_came_of_it_and_when(backend: Backend) -> None:
    sent = msgspec.structs.replace(submission(seconds=2), traceparent=TRACE).accepted(CREATED)
    backend.store.add([sent])
    backend.pass_time(timedelta(seconds=3.25))
    ended(backend, sent, result={"rows": 7})
    backend.pass_time(timedelta(minutes=5))

    with watched(backend) as (client, _):
        response = client.get(f"/requests/{sent.id.upper()}")

    read = plain(response)
    assert response.status_code == 200
    assert f"Request of delay {sent.id} finished Finished after 3.2 s" in read
    assert "Created 2026-01-01 00:00:00.000 UTC , 5 min ago" in read
    assert "Finished 2026-01-01 00:00:03.250 UTC , 5 min ago 3.2 s after it was created" in read
    assert f'Received {{ "id": "{sent.id}", "action": "delay", "seconds": 2 }}' in read
    assert 'Result { "rows": 7 }' in read
    assert f"Attempts 1 Trace {TRACE}" in read
    assert "Run again" not in read
    assert "data-live" not in response.text


def test_a_request_that_has_not_ended_is_shown_as_it_goes_on(backend: Backend) -> None:
    sent = added(backend)
    backend.pass_time(timedelta(seconds=42))
    with watched(backend) as (client, _):
        response = client.get(f"/requests/{sent.id}")
        assert "accepted Accepted, for 42 s" in plain(response)
        assert "Not ended yet waits for its run, 42 s" in plain(response)
        assert "Trace none was sent" in plain(response)
        assert '<main id="main" tabindex="-1" data-live>' in response.text

        backend.queue.receive(1, timedelta(0))
        assert "Not ended yet attempt 1 of its run, 42 s" in plain(client.get(f"/requests/{sent.id}"))


def test_why_a_request_failed_is_shown(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="ValueError: no\nsecond line")

    with watched(backend) as (client, _):
        response = client.get(f"/requests/{failed.id}")

    assert "Error: raised ValueError: no second line" in plain(response)
    assert "ValueError: no\nsecond line" in response.text
    assert f"Run again request {failed.id}" in plain(response)


def test_parts_are_shown_a_page_at_a_time(backend: Backend) -> None:
    sent = split(backend, 205)
    with watched(backend) as (client, _):
        first = client.get(f"/requests/{sent.id}")
        read = plain(first)
        assert "204 of 205 parts have ended, 3 s after it was created" in read
        assert "Split into 205 parts 2026-01-01 00:00:00.000 UTC , 3 s ago 204 have ended" in read
        assert "Parts 1 to 100 over 3 s: 100 finished, 0 failed, 0 accepted." in read
        assert "1 finished 3 s 1 1" in read
        assert "Page 1 of 3" in read
        assert first.text.count("<title>part ") == 100

        last = client.get(f"/requests/{sent.id}?parts=3")
        assert "Parts 201 to 205 over 3 s: 4 finished, 0 failed, 1 accepted." in plain(last)
        assert last.text.count("<title>part ") == 5
        assert "Parts before" in last.text
        assert "Parts after" not in last.text

        for wrong in ("0", "4", "-1", "x", "1e3", "²", "99999999999999999999"):
            response = client.get(f"/requests/{sent.id}", params={"parts": wrong})
            assert (response.status_code, "no such page of parts" in response.text) == (400, True), wrong


def test_parts_that_failed_say_why(backend: Backend) -> None:
    sent = split(backend, 3, failing=2)

    with watched(backend) as (client, _):
        read = plain(client.get(f"/requests/{sent.id}"))

    assert "3 have ended, 2 of them failed" in read
    assert "Not ended yet waits for its merge" in read
    assert "1 failed 3 s 1 1 raised: ValueError: bad part 2 failed 3 s 1 2 raised: ValueError: bad part" in read


@pytest.mark.parametrize("id_", ["nonsense", "00000000-0000-0000-0000-000000000000", "%3Cb%3E", new_id()])
def test_a_request_that_is_not_there_is_404(backend: Backend, id_: str) -> None:
    with watched(backend) as (client, _):
        for response in (client.get(f"/requests/{id_}"), client.post(f"/requests/{id_}/retry", headers=FORM)):
            assert response.status_code == 404
            assert "Not Found No request has this id." in plain(response)


def test_what_is_no_id_is_not_looked_for(backend: Backend) -> None:
    """A store may take amiss what is no key of its own."""
    with watched(backend) as (client, sources):
        sources.store = None  # type: ignore[assignment]

        for id_ in ("nonsense", "x" * 3_000, "%FF", "_keys"):
            assert client.get(f"/requests/{id_}").status_code == 404


def test_a_failed_request_is_run_again_and_the_page_says_so(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="no")

    with watched(backend) as (client, _):
        answer = client.post(f"/requests/{failed.id}/retry", headers=FORM)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/requests/{failed.id}?said=again")
        assert backend.store.get([failed.id])[failed.id].status is Status.ACCEPTED
        assert "It was accepted again, and queued." in plain(client.get(answer.headers["location"]))
        ended(backend, failed, detail="no")
        assert "It was accepted again, and has failed again." in plain(client.get(answer.headers["location"]))


def test_a_request_that_is_not_failed_any_more_stays_as_it_is(backend: Backend) -> None:
    finished = ended(backend, added(backend), result={})

    with watched(backend) as (client, _):
        answer = client.post(f"/requests/{finished.id}/retry", headers=FORM)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/requests/{finished.id}?said=not-failed")
        assert backend.store.get([finished.id]) == {finished.id: finished}
        assert "Nothing was done: it was no longer failed" in plain(client.get(answer.headers["location"]))


def test_nothing_is_said_but_what_the_page_knows(backend: Backend) -> None:
    sent = added(backend)

    with watched(backend) as (client, _):
        assert 'class="said"' not in client.get(f"/requests/{sent.id}?said=Call+555").text


def test_the_form_of_run_again_has_no_field_and_a_large_one_is_not_read(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="no")

    with watched(backend) as (client, _):
        for content in (b"x" * 5_000, iter([b"x" * 600, b"x" * 600])):
            assert client.post(f"/requests/{failed.id}/retry", headers=FORM, content=content).status_code == 413
        assert backend.store.get([failed.id])[failed.id].status is Status.FAILED
        assert client.post(f"/requests/{failed.id}/retry", headers=FORM, content=b"a=b").status_code == 303


def test_a_form_that_does_not_come_is_waited_for_only_so_long(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    failed = ended(backend, added(backend), detail="no")
    head = f"POST /requests/{failed.id}/retry HTTP/1.1\r\nhost: localhost\r\n{SAME}content-length: 9\r\n\r\na"

    with watched(backend, Settings(body_timeout=timedelta(seconds=0.2))) as (client, _):
        where = (client.base_url.host, client.base_url.port or 0)
        with socket.create_connection(where) as leaving:
            leaving.sendall(head.encode())
        with socket.create_connection(where, timeout=PATIENCE_SECONDS) as slow:
            slow.sendall(head.encode())
            assert slow.recv(12) == b"HTTP/1.1 408"
        assert backend.store.get([failed.id])[failed.id].status is Status.FAILED

    assert not [one for one in caplog.records if one.exc_info]


def test_a_page_leads_to_the_parts_before_and_after(backend: Backend) -> None:
    sent = split(backend, 250)
    with watched(backend) as (client, _):
        page = client.get(f"/requests/{sent.id}?parts=2")
        found = {rel: link(page, rel) for rel in ("prev", "next")}

    assert found == {"prev": "?parts=1#parts", "next": "?parts=3#parts"}
