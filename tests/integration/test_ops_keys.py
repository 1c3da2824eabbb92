"""Who may look at the page where there are keys, on a real socket."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import msgspec
import pytest

from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.config import Settings
from acuse.domain.api_key import SECRET_BYTES, ApiKey, new_key
from acuse.domain.errors import StoreUnavailable
from acuse.entrypoints.ops import guard
from tests.acceptance.service import until
from tests.integration.test_ops_guard import OPEN, PAGES
from tests.integration.watched import FORM, added, ended, plain, watched

if TYPE_CHECKING:
    from acuse.ports import Keyring
    from tests.contract.backend import Backend

AT_ONCE = Settings(keys_refresh=timedelta(0))


class FailingKeyring(MemoryKeyring):
    """One that can be out of reach, or hang."""

    is_away = False

    def __init__(self) -> None:
        super().__init__()
        self.gate = Event()
        self.gate.set()

    def keys(self) -> list[ApiKey]:
        assert self.gate.wait(30)
        if self.is_away:
            raise StoreUnavailable("the cellar is locked")
        return super().keys()


def made(keyring: Keyring, name: str) -> str:
    """A new key, as its owner has it."""
    key, text = new_key(name, secrets.token_bytes(SECRET_BYTES), datetime.now(UTC))
    assert keyring.put(key)
    return text


def basic(text: str, scheme: str = "Basic") -> dict[str, str]:
    return {"authorization": f"{scheme} {b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_where_there_are_keys_one_is_asked_for_but_by_machines(backend: Backend) -> None:
    failed = ended(backend, added(backend), detail="no")
    with watched(backend, AT_ONCE) as (client, sources):
        assert client.get("/").status_code == 200

        key = made(sources.keyring, "operator")
        for path in PAGES:
            response = client.get(path)
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == 'Basic realm="acuse", charset="UTF-8"'
            assert "any name, and the key as the password" in plain(response)
            assert client.get(path, headers=basic(f"whoever:{key}")).status_code in (200, 404)
        assert client.post(f"/requests/{failed.id}/retry", headers=FORM).status_code == 401
        for path in OPEN:
            assert client.get(path).status_code == 200

        retry = client.post(f"/requests/{failed.id}/retry", headers={**FORM, **basic(f":{key}", scheme="bAsIc")})
        assert retry.status_code == 303

        assert sources.keyring.revoke("operator", datetime.now(UTC))
        assert client.get("/", headers=basic(f"whoever:{key}")).status_code == 401


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_where_others_can_reach_it_nobody_is_let_in_before_there_is_a_key(backend: Backend) -> None:
    with watched(backend, msgspec.structs.replace(AT_ONCE, ops_host="0.0.0.0")) as (client, sources):  # noqa: S104
        for path in (*PAGES, "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 401
        for path in ("/health/live", "/health/ready"):
            assert client.get(path).status_code == 200

        key = made(sources.keyring, "operator")
        assert client.get("/openapi.json", headers=basic(f"x:{key}")).status_code == 200
        assert client.get("/openapi.json").status_code == 401


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_what_is_no_key_is_refused(backend: Backend) -> None:
    with watched(backend, AT_ONCE) as (client, sources):
        key, other = made(sources.keyring, "operator"), made(sources.keyring, "other")
        shown = (
            basic(key),
            basic(f"{key}:"),
            basic(f"x:{key}x"),
            basic(f"x:{key[:-1]}"),
            basic(f"x:{other[:-43]}{key[-43:]}"),
            basic("x:"),
            basic(f"x:{key}", scheme="Bearer"),
            {"authorization": f"Bearer {key}"},
            {"authorization": "Basic"},
            {"authorization": "Basic ="},
            {"authorization": "Basic 8J+YgA"},
            {"authorization": f"Basic {b64encode(bytes([255, 58]) + key.encode()).decode()}"},
        )
        for fields in shown:
            assert client.get("/", headers=fields).status_code == 401, fields
        assert client.get("/", headers={b"authorization": b"Basic \xfc"}).status_code == 401
        twice = [*basic(f"x:{key}").items()] * 2
        assert client.get("/", headers=twice).status_code == 401
        assert client.get("/", headers=basic(f"x:y:{key}")).status_code == 401
        assert client.get("/", headers=basic(f"x:{key}")).status_code == 200


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_keys_that_cannot_be_read_let_nobody_in_and_later_the_old_ones_count(backend: Backend) -> None:
    keyring = FailingKeyring()
    key = made(keyring, "operator")
    keyring.is_away = True
    with watched(backend, AT_ONCE) as (client, sources):
        sources.keyring = keyring
        for fields in ({}, basic(f"x:{key}")):
            response = client.get("/", headers=fields)
            assert response.status_code == 503
            assert "it is not known who may look" in plain(response)
            assert "cellar" not in response.text
        assert client.get("/health/live").status_code == 200

        keyring.is_away = False
        assert client.get("/", headers=basic(f"x:{key}")).status_code == 200

        keyring.is_away = True
        assert client.get("/", headers=basic(f"x:{key}")).status_code == 200
        assert client.get("/").status_code == 401


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_keys_that_do_not_come_in_time_are_not_waited_for(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE_SECONDS", 0.05)
    keyring = FailingKeyring()
    key = made(keyring, "operator")
    keyring.gate.clear()
    with watched(backend, AT_ONCE) as (client, sources):
        sources.keyring = keyring
        assert client.get("/", headers=basic(f"x:{key}")).status_code == 503

        keyring.gate.set()
        until(lambda: client.get("/", headers=basic(f"x:{key}")).status_code == 200, "the keys")

        keyring.gate.clear()
        assert client.get("/", headers=basic(f"x:{key}")).status_code == 200
        assert client.get("/").status_code == 401
        keyring.gate.set()


@pytest.mark.parametrize("backend", ["memory"], indirect=True)
def test_keys_are_looked_up_no_oftener_than_is_set(backend: Backend) -> None:
    with watched(backend, Settings(keys_refresh=timedelta(hours=1))) as (client, sources):
        assert client.get("/").status_code == 200
        made(sources.keyring, "late")

        assert client.get("/").status_code == 200
