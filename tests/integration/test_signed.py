"""Signatures by AWS credentials, before a verifier that works each out itself."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from acuse.adapters.aws.signer import SigV4
from acuse.client import Client, Refused
from acuse.domain.errors import Misconfigured
from tests.acceptance.service import acuse
from tests.integration.scripted import always, breaks_after_storing, refuses, scripted
from tests.integration.verified import ENVIRONMENT, Verifier
from tests.requests import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acuse.client import Signer

ONE = {"action": "delay"}
TEXT = b'{"action":"delay"}'
NO_SERVICE = "http://127.0.0.1:9/v1/requests"

WITHOUT_BOTOCORE = """
import sys

class Missing:
    def find_spec(self, name, *_):
        if name == "botocore":
            raise ModuleNotFoundError("No module named 'botocore'", name=name)

sys.meta_path.insert(0, Missing())
from acuse.entrypoints.cli import main
main()
"""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


class Numbered:
    """Signs a number too, so that no signature is like another even in the same second."""

    def __init__(self) -> None:
        self._signer: Signer = SigV4()
        self.count = 0

    def signed(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        self.count += 1
        return self._signer.signed(url, {**headers, "x-number": str(self.count)}, body)


class OfOtherContent:
    """Signs what is not sent."""

    def signed(self, url: str, headers: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        return SigV4().signed(url, headers, body + b" ")


def test_one_request_is_taken_by_who_checks_signatures() -> None:
    verifier = Verifier()
    with scripted(*always(verifier)) as service, Client(service.address, signer=SigV4()) as client:
        assert client.submit(ONE).is_new

    assert len(verifier.signatures) == 1


@pytest.mark.parametrize("gzip", [True, False])
def test_many_requests_are_taken_as_they_are_sent_packed_or_not(gzip: bool) -> None:  # noqa: FBT001
    requests = [{"id": new_id(), "action": "delay"} for _ in range(1_500)]
    verifier = Verifier()
    with scripted(*always(verifier)) as service, Client(service.address, signer=SigV4()) as client:
        items = list(client.submit_all(requests, gzip=gzip))

    assert [item.status for item in items] == [201] * len(requests)
    assert [exchange.headers["content-encoding"] for exchange in service.came] == ["gzip" if gzip else None] * 2
    assert len(set(verifier.signatures)) == 2


def test_what_is_sent_again_is_signed_anew() -> None:
    signer = Numbered()
    verifier = Verifier(breaks_after_storing, refuses(503))
    with scripted(*always(verifier)) as service, Client(service.address, signer=signer) as client:
        assert client.submit(ONE).id

    assert (signer.count, len(set(verifier.signatures))) == (3, 3)
    assert len(service.records) == 1


def test_a_query_is_signed_too() -> None:
    with scripted(*always(Verifier())) as service:
        url = f"{service.address}/v1/requests?b=2&a=%20x"
        body = b'{"id":"%b"}' % new_id().encode()
        headers = dict(SigV4().signed(url, {"content-type": "application/json"}, body))

        assert httpx.post(url, content=body, headers=headers).status_code == 201
        assert httpx.post(url.replace("b=2", "b=3"), content=body, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("verifier", "signer"),
    [
        (Verifier(secret="another"), SigV4),  # noqa: S106  (of nobody)
        (Verifier(now=lambda: datetime.now(UTC) + timedelta(minutes=6)), SigV4),
        (Verifier(), OfOtherContent),
        (Verifier(), lambda: None),
    ],
    ids=["a wrong secret", "an expired date", "other content", "no signature"],
)
def test_what_is_not_signed_as_it_must_be_is_refused_and_not_sent_again(
    verifier: Verifier, signer: type[SigV4]
) -> None:
    with scripted(*always(verifier)) as service, Client(service.address, signer=signer()) as client:
        with pytest.raises(Refused, match="403"):
            client.submit(ONE)

        assert (len(service.came), service.records) == (1, {})


def test_the_region_is_the_one_given_else_that_of_the_address_else_that_of_the_environment() -> None:
    def region(signer: SigV4, host: str) -> str:
        return signer.signed(f"https://{host}/v1/requests", {}, TEXT)["Authorization"].split("/")[2]

    assert region(SigV4("eu-south-2"), "a1.execute-api.us-east-1.amazonaws.com") == "eu-south-2"
    assert region(SigV4(), "a1.execute-api.us-east-1.amazonaws.com") == "us-east-1"
    assert region(SigV4(), "acuse.example.com") == "eu-west-1"


def test_without_credentials_or_a_region_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Misconfigured, match="AWS_DEFAULT_REGION"):
        SigV4().signed(NO_SERVICE, {}, TEXT)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(Misconfigured, match="no AWS credentials"):
        SigV4()


def test_a_key_and_a_signature_do_not_go_together() -> None:
    with pytest.raises(ValueError, match="only one of them"):
        Client(NO_SERVICE, key="k", signer=SigV4())


def test_a_signature_is_not_sent_in_the_clear_to_another_machine_unless_that_is_said() -> None:
    with pytest.raises(ValueError, match="the signature could be read"):
        Client("http://acuse.example.com", signer=SigV4())
    Client("http://acuse.example.com", signer=SigV4(), insecure=True).close()
    Client("https://acuse.example.com", signer=SigV4()).close()


def test_a_bearer_token_may_be_as_long_as_those_of_an_identity_provider_are() -> None:
    token = ".".join(("eyJhbGciOiJSUzI1NiJ9", "eyJ-_" * 1_600, "c2ln_-" * 60))
    with scripted() as service, Client(service.address, key=token) as client:
        client.submit(ONE)

    assert [exchange.headers["authorization"] for exchange in service.came] == [f"Bearer {token}"]


def test_the_command_signs_with_the_credentials_that_every_aws_tool_finds() -> None:
    with scripted(*always(Verifier())) as service:
        told = acuse("submit", "-", "--sigv4", "eu-west-1", "--url", service.address, input=TEXT.decode())

    assert (told.returncode, len(service.records)) == (0, 1), told.stderr


def test_the_command_says_so_when_it_is_refused_or_has_nothing_to_sign_with(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(*always(Verifier(secret="another"))) as service:  # noqa: S106  (of nobody)
        refused = acuse("submit", "-", "--sigv4", "eu-west-1", "--url", service.address, input=TEXT.decode())
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    without = acuse("submit", "-", "--sigv4", "eu-west-1", "--url", NO_SERVICE, input=TEXT.decode())

    assert (refused.returncode, "403 Forbidden" in refused.stderr) == (1, True)
    assert (without.returncode, "no AWS credentials" in without.stderr) == (2, True)


def test_without_the_packages_of_aws_the_command_says_what_to_install() -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTOCORE, "submit", "-", "--sigv4", "eu-west-1"],
        input="{}",
        capture_output=True,
        text=True,
        check=False,
    )

    assert (told.returncode, "pip install 'acuse[aws]'" in told.stderr) == (2, True), told.stderr
