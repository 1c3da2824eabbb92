"""Promtool can be had in a fresh clone, and where it cannot, somebody is told how to get it."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.monitoring.promtool import NoPromtool, find

if TYPE_CHECKING:
    from pathlib import Path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def apt(tmp_path: Path) -> dict[str, str]:
    """An environment with an apt of its own, which hands out a package without a list only once it was updated."""
    where = tmp_path / "bin"
    program(
        where / "apt-get",
        f"""
        echo "$@" >>{tmp_path}/calls
        case "$*" in
          *update) touch {tmp_path}/updated;;
          *) [ -e {tmp_path}/updated ] || {{ echo "E: Unable to locate package prometheus" >&2; exit 100; }}
             touch prometheus_1.deb;;
        esac""",
    )
    program(
        where / "dpkg-deb",
        """
        mkdir -p unpacked/usr/bin
        echo "#!/bin/sh" >unpacked/usr/bin/promtool
        chmod +x unpacked/usr/bin/promtool""",
    )
    return {"PATH": f"{where}{os.pathsep}{os.defpath}"}


def test_one_on_the_path_is_taken(tmp_path: Path) -> None:
    program(tmp_path / "promtool", "echo")

    assert find(tmp_path / "own", {"PATH": str(tmp_path)}) == tmp_path / "promtool"
    assert not (tmp_path / "own").exists()


def test_else_it_comes_from_the_package_once_however_many_want_it_and_needs_no_list_of_the_system(
    tmp_path: Path, apt: dict[str, str]
) -> None:
    own = tmp_path / "own"

    with ThreadPoolExecutor(4) as several:
        found = set(several.map(lambda _: find(own, apt), range(4)))

    assert found == {own / "promtool"}
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split()[-1] for call in calls] == ["prometheus", "update", "prometheus"]
    assert all(f"Dir::State::lists={own}" in call for call in calls[1:])
    assert sorted(one.name for one in own.iterdir()) == ["lock", "promtool"]


def test_where_it_cannot_be_had_it_says_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "apt-get", "echo 'E: no network' >&2; exit 100")

    with pytest.raises(NoPromtool) as apart:
        find(tmp_path / "own", {"PATH": f"{tmp_path}/bin"})
    with pytest.raises(NoPromtool) as without_apt:
        find(tmp_path / "own", {"PATH": str(tmp_path)})

    assert "E: no network" in str(apart.value)
    assert "no apt-get here" in str(without_apt.value)
    for trouble in (apart, without_apt):
        assert "apt-get install prometheus" in str(trouble.value)
        assert str(tmp_path / "own" / "promtool") in str(trouble.value)
