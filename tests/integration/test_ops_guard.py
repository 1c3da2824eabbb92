"""Who may look at the page, and from where, on a real socket."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from acuse.config import Settings
from acuse.domain.record import Status
from tests.integration.watched import FORM, added, ended, plain, watched
from tests.requests import new_id

if TYPE_CHECKING:
    import httpx

    from tests.contract.backend import Backend

PAGES = ("/", "/requests", f"/requests/{new_id()}", "/static/style.css", "/nowhere")
OPEN = ("/health/live", "/health/ready", "/openapi.json")


# By which name


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8081", "localhost:8081", "LOCALHOST", "[::1]:8081", "[::1]", "10.1.2.3", "ops.example.com:8443",
        "OPS.example.com", "127.0.0.1",
    ],
)  # fmt: skip
def test_the_page_is_served_by_addresses_and_by_the_names_that_are_known(backend: Backend, host: str) -> None:
    with watched(backend, Settings(ops_names=("ops.Example.com",))) as (client, _):
        assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_by_another_name_nothing_is_served_that_people_look_at(backend: Backend) -> None:
    """It may be a site of somebody else, that has its name lead here (DNS rebinding)."""
    failed = ended(backend, added(backend), detail="no")
    with watched(backend) as (client, _):
        for host in (
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "a b",
        ):
            for path in (*PAGES, "/openapi.json"):
                response = client.get(path, headers={"host": host})
                assert (response.status_code, "known" in plain(response)) == (421, True), (host, path)
            retry = client.post(f"/requests/{failed.id}/retry", headers={**FORM, "host": host})
            assert retry.status_code == 421
            for path in ("/health/live", "/health/ready"):
                assert client.get(path, headers={"host": host}).status_code == 200

    assert backend.store.get([failed.id])[failed.id].status is Status.FAILED


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
@pytest.mark.parametrize("fields", [b"", b"host: localhost\r\nhost: evil.example\r\n"])
def test_of_no_name_or_two_none_counts(backend: Backend, fields: bytes) -> None:
    with watched(backend) as (client, _):
        where = (client.base_url.host, client.base_url.port)
        with socket.create_connection(where, timeout=30) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n%bconnection: close\r\n\r\n" % fields)

            assert connection.recv(100).startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 "))


# From where


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_only_the_page_itself_can_have_a_request_run_again(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="no")
    with watched(backend, Settings(ops_names=("ops.example.com",))) as (client, _):
        own = f"http://{client.base_url.netloc.decode()}"
        for fields in (
            {},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": ""},
            {"origin": "http://127.0.0.1"},
            {"origin": f"{own}0"},
            {"origin": "https://ops.example.com"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"sec-fetch-site": "none"},
            {"origin": own, "sec-fetch-site": "cross-site"},
            {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
            {"referer": f"{own}/"},
        ):
            response = client.post(f"/requests/{failed.id}/retry", headers=fields)

            assert (response.status_code, "from the page itself" in plain(response)) == (403, True), fields
            assert backend.store.get([failed.id])[failed.id].status is Status.FAILED


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
@pytest.mark.parametrize(
    "fields",
    [
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://localhost:9", "host": "localhost:9"},
        {"origin": "https://ops.example.com", "host": "OPS.example.com", "sec-fetch-site": "same-origin"},
    ],
)
def test_the_page_itself_can(backend: Backend, fields: dict[str, str]) -> None:
    failed = ended(backend, added(backend), detail="no")
    with watched(backend, Settings(ops_names=("ops.example.com",))) as (client, _):
        assert client.post(f"/requests/{failed.id}/retry", headers=fields).status_code == 303


# What a browser is told


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_every_answer_says_what_a_browser_may_do_with_it(backend: Backend) -> None:
    with watched(backend) as (client, sources):
        pages = [client.get(path) for path in (*PAGES, *OPEN)]
        pages += [client.get("/", headers={"host": "evil.example"}), client.post("/"), client.post("/x", headers=FORM)]
        sources.overview = None  # type: ignore[assignment]
        pages.append(client.get("/requests"))

    assert [page.status_code for page in pages][-4:] == [421, 403, 404, 500]
    for page in pages:
        policy = {part.split()[0]: part.split()[1:] for part in page.headers["content-security-policy"].split("; ")}
        assert policy.pop("default-src") == ["'none'"]
        assert policy.pop("frame-ancestors") == policy.pop("base-uri") == ["'none'"]
        assert set(policy) == {"style-src", "script-src", "img-src", "connect-src", "form-action"}
        assert set(map(tuple, policy.values())) == {("'self'",)}
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in page.headers
        kept = "max-age=31536000" in page.headers["cache-control"]
        assert kept == (page.url.path.startswith("/static/")) or page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_pages_are_read_and_not_written(backend: Backend) -> None:
    sent = added(backend)
    with watched(backend) as (client, _):
        for path in ("/", "/requests", f"/requests/{sent.id}", "/static/style.css", *OPEN):
            whole, head = client.get(path), client.head(path)
            assert (head.status_code, head.content, head.headers["content-type"]) == (
                200, b"", whole.headers["content-type"],
            )  # fmt: skip
            assert client.put(path, headers=FORM).status_code == 405
        retry = client.get(f"/requests/{sent.id}/retry")
        assert (retry.status_code, retry.headers["allow"]) == (405, "POST")
        assert "Method Not Allowed" in plain(retry)


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_a_page_needs_nothing_from_elsewhere(backend: Backend) -> None:
    def needs(response: httpx.Response) -> set[str]:
        return {
            part.partition('"')[0]
            for mark in ('src="', '<link rel="stylesheet" href="', '<link rel="icon" href="', 'action="')
            for part in response.text.split(mark)[1:]
        }

    failed = ended(backend, added(backend), detail="no")
    with watched(backend) as (client, _):
        pages = [client.get(path) for path in ("/", "/requests", f"/requests/{failed.id}", "/nowhere")]
        needed = {address for page in pages for address in needs(page)}
        assert all(address.startswith("/") and not address.startswith("//") for address in needed)
        assert "//" not in "".join(page.text for page in pages).replace("http://www.w3.org", "")
        assets = [client.get(address) for address in needed if address.startswith("/static/")]

    assert len(assets) == 4
    assert {asset.status_code for asset in assets} == {200}
    assert all("url(" not in asset.text and "@import" not in asset.text for asset in assets)
    for page in pages:
        assert " style=" not in page.text
        assert "<style" not in page.text
        assert page.text.count("<script") == page.text.count('<script src="/static/')
