from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from acuse.config import Settings
from acuse.domain.errors import Misconfigured


def test_the_environment_decides_and_a_choice_overrules_it() -> None:
    environment = {
        "ACUSE_PORT": "9000",
        "ACUSE_LEASE": "2.5",
        "ACUSE_DATA": "/x",
        "ACUSE_ACTIONS": "a, b.py,",
        "PATH": "/bin",
    }

    settings = Settings.from_environment(environment, port=1, workers=None)

    here = Path.cwd()
    assert settings == Settings(
        port=1, lease=timedelta(seconds=2.5), data=Path("/x"), actions=("a", str(here / "b.py"))
    )


def test_settings_survive_the_way_through_the_environment() -> None:
    settings = Settings(
        allow_anyone=True,
        host="0.0.0.0",  # noqa: S104
        data=Path("/x"),
        actions=("a", "/b.py"),
        drain=timedelta(0),
    )

    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize("bytes_", [0, 67_108_864])
def test_the_memory_of_a_run_has_a_bound_or_none(bytes_: int) -> None:
    assert Settings(max_memory=bytes_).max_memory == bytes_


def test_an_empty_variable_is_as_none() -> None:
    assert Settings.from_environment({"ACUSE_PORT": ""}) == Settings(data=Path.cwd() / "data")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"ACUSE_PRT": "1"}, "no such setting: ACUSE_PRT"),
        ({"ACUSE_PORT": "x"}, "port"),
        ({"ACUSE_PORT": "65536"}, "port"),
        ({"ACUSE_WORKERS": "-1"}, "workers"),
        ({"ACUSE_OPS_NAMES": "ops.example.com:443"}, "ops_names"),
        ({"ACUSE_OPS_NAMES": "a.example,https://b.example"}, "ops_names"),
        ({"ACUSE_RUNNERS": "0"}, "runners"),
        ({"ACUSE_MAX_BODY": "0"}, "max_body"),
        ({"ACUSE_MAX_MEMORY": "-1"}, "max_memory"),
        ({"ACUSE_MAX_MEMORY": "67108863"}, "max_memory must be at least 67108864, or 0 for no bound"),
        ({"ACUSE_MAX_RESULT": "33554433"}, "max_plan must be at most 33554432"),
        ({"ACUSE_MAX_PLAN": "33554433"}, "max_plan must be at most 33554432"),
        ({"ACUSE_MAX_WAITING_BYTES": "1000"}, "max_waiting_bytes must be at least max_body"),
        ({"ACUSE_LEASE": "0"}, "lease must be more than zero"),
        ({"ACUSE_BODY_TIMEOUT": "-1"}, "body_timeout must be more than zero"),
        ({"ACUSE_DRAIN": "-1"}, "drain must not be negative"),
        ({"ACUSE_LOG_LEVEL": "LOUD"}, "log_level"),
    ],
)
def test_what_cannot_work_or_is_unsafe_is_refused(environment: dict[str, str], says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environment(environment)

    assert says in str(caught.value)


def test_a_path_that_the_environment_cannot_carry_is_refused() -> None:
    with pytest.raises(Misconfigured, match="comma"):
        Settings.from_environment({}, actions=["a,b.py"])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_leave(host: str) -> None:
    assert not Settings().exposes(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])  # noqa: S104
def test_beyond_loopback_an_address_is_exposed_unless_that_is_meant(host: str) -> None:
    assert Settings().exposes(host)
    assert not Settings(allow_anyone=True).exposes(host)
