"""What every Keyring does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from acuse.domain.api_key import ApiKey, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.backend import Backend

LATER = timedelta(microseconds=1)
CONTENDERS = 8


def key(backend: Backend, name: str, byte: int = 1) -> ApiKey:
    return new_key(name, bytes([byte]) * 32, backend.clock.now())[0]


def all_at_once(contend: Callable[[int], bool]) -> list[bool]:
    barrier = threading.Barrier(CONTENDERS)

    def run(number: int) -> bool:
        barrier.wait()
        return contend(number)

    with ThreadPoolExecutor(CONTENDERS) as pool:
        return list(pool.map(run, range(CONTENDERS)))


def test_there_are_no_keys_at_first(backend: Backend) -> None:
    assert backend.keyring.keys() == []


def test_keys_are_kept_and_listed_by_name(backend: Backend) -> None:
    made = [key(backend, name, byte) for byte, name in enumerate(["b", "a-b", "a", "0", "own-1", "a" * 40, "-"])]

    assert [backend.keyring.put(one) for one in made] == [True] * len(made)

    assert backend.keyring.keys() == sorted(made, key=lambda one: one.name)


def test_a_name_is_given_once(backend: Backend) -> None:
    first = key(backend, "erp")
    assert backend.keyring.put(first)

    assert not backend.keyring.put(key(backend, "erp", 2))
    assert not backend.keyring.put(first)

    assert backend.keyring.keys() == [first]


def test_a_key_that_is_revoked_stays_and_is_marked(backend: Backend) -> None:
    made = key(backend, "erp")
    other = key(backend, "other")
    backend.keyring.put(made)
    backend.keyring.put(other)
    at = made.created_at + LATER

    assert backend.keyring.revoke("erp", at)

    assert backend.keyring.keys() == [msgspec.structs.replace(made, revoked_at=at), other]


def test_a_key_is_revoked_once(backend: Backend) -> None:
    made = key(backend, "erp")
    backend.keyring.put(made)
    backend.keyring.revoke("erp", made.created_at)

    assert not backend.keyring.revoke("erp", made.created_at + LATER)
    assert not backend.keyring.revoke("erp", made.created_at)

    assert backend.keyring.keys() == [msgspec.structs.replace(made, revoked_at=made.created_at)]


def test_the_name_of_a_key_that_was_revoked_stays_taken(backend: Backend) -> None:
    made = key(backend, "erp")
    backend.keyring.put(made)
    backend.keyring.revoke("erp", made.created_at)

    assert not backend.keyring.put(key(backend, "erp", 2))

    assert backend.keyring.keys() == [msgspec.structs.replace(made, revoked_at=made.created_at)]


def test_a_key_that_is_not_there_cannot_be_revoked(backend: Backend) -> None:
    assert not backend.keyring.revoke("erp", backend.clock.now())
    made = key(backend, "a-b")
    backend.keyring.put(made)

    assert [backend.keyring.revoke(name, made.created_at) for name in ("a", "a_b", "A-B", "", "a b")] == [False] * 5

    assert backend.keyring.keys() == [made]


def test_of_many_putting_one_name_at_once_one_gets_it(backend: Backend) -> None:
    made = [key(backend, "erp", byte) for byte in range(CONTENDERS)]

    put = all_at_once(lambda number: backend.keyring.put(made[number]))

    assert sorted(put) == [False] * (CONTENDERS - 1) + [True]
    assert backend.keyring.keys() == [made[put.index(True)]]


def test_of_many_putting_names_of_their_own_at_once_all_get_them(backend: Backend) -> None:
    made = [key(backend, f"erp-{byte}", byte) for byte in range(CONTENDERS)]

    assert all(all_at_once(lambda number: backend.keyring.put(made[number])))

    assert backend.keyring.keys() == made


def test_of_many_revoking_one_key_at_once_one_does(backend: Backend) -> None:
    made = key(backend, "erp")
    backend.keyring.put(made)

    revoked = all_at_once(lambda _: backend.keyring.revoke("erp", made.created_at))

    assert sorted(revoked) == [False] * (CONTENDERS - 1) + [True]


def test_no_key_is_a_request(backend: Backend) -> None:
    made = key(backend, "delay")
    backend.keyring.put(made)
    backend.keyring.revoke("delay", made.created_at)
    backend.store.settle([])

    assert backend.store.get(["_keys", "delay", "key_delay"]) == {}
    assert backend.store.reopen(["_keys", "delay", "key_delay"]) == [False] * 3
    assert backend.queue.receive(10, timedelta(0)) == []
