"""`acuse keys`, as an operator runs it."""

from __future__ import annotations

import os
import re
import uuid
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest

from acuse.bootstrap import Service
from acuse.config import Settings
from acuse.domain.api_key import matching
from tests.acceptance.service import acuse
from tests.aws.local import local_aws
from tests.contract.aws import create_table
from tests.requests import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


class Command(Protocol):
    def __call__(self, *arguments: str) -> CompletedProcess[str]: ...


@pytest.fixture(params=["sqlite", "dynamodb"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Command]:
    if request.param == "sqlite":
        yield partial(acuse, "keys", data=tmp_path / "data")
        return
    aws, table = local_aws(), f"acuse-{uuid.uuid4()}"
    dynamodb = aws.client("dynamodb")
    create_table(dynamodb, table)
    environment = {**os.environ, **aws.environment, "ACUSE_STORE": f"dynamodb://{table}"}
    yield partial(acuse, "keys", env=environment)
    dynamodb.delete_table(TableName=table)


def said(completed: CompletedProcess[str]) -> tuple[int, str, str]:
    return completed.returncode, completed.stdout, completed.stderr


def test_a_key_is_made_listed_and_revoked(keys: Command) -> None:
    made = keys("new", "erp-1")
    other = keys("new", "another")

    assert re.fullmatch(r"acuse_erp-1_[A-Za-z0-9_-]{43}\n", made.stdout)
    assert said(made)[::2] == (0, "It is not shown again: only its hash is kept.\n")
    assert other.stdout != made.stdout.replace("erp-1", "another")
    listed = keys("list")
    assert listed.returncode == 0
    assert re.fullmatch(f"another created {TIME}\nerp-1 created {TIME}\n", listed.stdout)

    assert said(keys("revoke", "erp-1")) == (0, "erp-1 is revoked\n", "")

    assert re.fullmatch(f"another created {TIME}\nerp-1 created {TIME} revoked {TIME}\n", keys("list").stdout)


def test_a_name_is_taken_for_good(keys: Command) -> None:
    keys("new", "erp")
    taken = (1, "", "acuse: there is or was a key with the name erp\n")

    assert said(keys("new", "erp")) == taken
    keys("revoke", "erp")
    assert said(keys("new", "erp")) == taken


def test_what_is_not_there_or_was_revoked_cannot_be_revoked(keys: Command) -> None:
    keys("new", "erp")
    keys("revoke", "erp")

    for name in ("erp", "other", "E R P"):
        assert said(keys("revoke", name)) == (1, "", f"acuse: no key that could be revoked has the name {name}\n")


@pytest.mark.parametrize("name", ["", "Erp", "a_b", "a b", "é", "a" * 41])
def test_a_name_of_another_form_is_refused_before_anything_is_opened(tmp_path: Path, name: str) -> None:
    refused = acuse("keys", "new", name, data=tmp_path / "data")

    assert said(refused) == (2, "", "acuse: the name of a key is 1 to 40 of a-z, 0-9 and -\n")
    assert not (tmp_path / "data").exists()


def test_the_key_that_is_printed_is_the_one_that_is_kept_and_its_secret_is_nowhere(tmp_path: Path) -> None:
    before = datetime.now(UTC)

    text = acuse("keys", "new", "erp", data=tmp_path).stdout.strip()

    [key] = Service(Settings(data=tmp_path)).keyring.keys()
    assert matching(text, [key]) is key
    assert before <= key.created_at <= datetime.now(UTC)
    secret = text.rpartition("acuse_erp_")[2].encode()
    assert all(secret not in file.read_bytes() for file in tmp_path.iterdir())


def test_where_there_is_no_database_there_is_nothing_to_list_or_revoke(tmp_path: Path) -> None:
    for arguments in (["list"], ["revoke", "erp"]):
        missing = acuse("keys", *arguments, data=tmp_path / "data")

        code, out, error = said(missing)
        assert (code, out) == (2, "")
        assert error.startswith(f"acuse: there is no database in {tmp_path / 'data'}: say where it is")
        assert not (tmp_path / "data").exists()


def test_keys_and_requests_are_kept_side_by_side(tmp_path: Path) -> None:
    added = record()
    Service(Settings(data=tmp_path)).store.add([added])

    assert acuse("keys", "new", "erp", data=tmp_path).returncode == 0

    service = Service(Settings(data=tmp_path))
    assert service.store.get([added.id]) == {added.id: added}
    [key] = service.keyring.keys()
    assert key.name == "erp"


def test_a_table_that_is_not_there_is_unavailable() -> None:
    environment = {**os.environ, **local_aws().environment, "ACUSE_STORE": "dynamodb://nowhere", "ACUSE_PATIENCE": "1"}

    for arguments in (["new", "erp"], ["list"], ["revoke", "erp"]):
        missing = acuse("keys", *arguments, env=environment)

        assert missing.returncode == 3
        assert "ResourceNotFoundException" in missing.stderr
        assert missing.stdout == ""
