"""Prometheus's own judge of rules and metrics: the one that is there, else the one in Debian's package."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parents[2] / "build" / "promtool"
PACKAGE = "prometheus"
FETCH_SECONDS = 300.0
ANSWER_SECONDS = 60.0


class NoPromtool(Exception):
    """There is none, and none can be had; the message says what was tried and what to do."""


class Missing(Exception):
    """It is not to be had in that way."""


def find(folder: Path, environment: Mapping[str, str]) -> Path:
    """The path of a promtool that answers; in the folder, once it was fetched. Of several processes, one fetches it."""
    if on_path := shutil.which("promtool", path=environment.get("PATH", "")):
        return Path(on_path)
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / "promtool"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not own.exists():
            try:
                _fetch(own, environment)
            except Missing as missing:
                raise NoPromtool(
                    "the tests in tests/monitoring need promtool, and there is none:\n"
                    f"- on PATH: no promtool\n- {own}: not there\n- Debian's package {PACKAGE}: {missing}\n"
                    f"Install one (Debian: `apt-get install {PACKAGE}`, macOS: `brew install {PACKAGE}`),"
                    " or put one there."
                ) from missing
    return own


def _fetch(own: Path, environment: Mapping[str, str]) -> None:
    """It is there, from the package, which is unpacked and not installed: nobody has to be root."""
    if shutil.which("apt-get", path=environment.get("PATH", "")) is None:
        raise Missing("no apt-get here")
    with TemporaryDirectory(dir=own.parent) as name:
        place = Path(name)
        try:
            _run(["apt-get", "download", PACKAGE], place, environment)
        except Missing:
            # The system has no list of packages, or an old one. One of our own does not need root either.
            lists = place / "lists"
            (lists / "partial").mkdir(parents=True)
            apart = ["apt-get", "-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={place}"]
            apart += ["-o", "APT::Sandbox::User=root"]
            _run([*apart, "update"], place, environment)
            _run([*apart, "download", PACKAGE], place, environment)
        [package] = place.glob("*.deb")
        _run(["dpkg-deb", "--extract", str(package), "unpacked"], place, environment)
        found = place / "unpacked" / "usr" / "bin" / "promtool"
        _run([str(found), "--version"], place, environment)
        found.rename(own)


def _run(command: list[str], place: Path, environment: Mapping[str, str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=place, env=environment, timeout=FETCH_SECONDS
        )
    except subprocess.CalledProcessError as error:
        raise Missing(f"`{' '.join(command)}`: {error.stderr.strip() or error.returncode}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"`{' '.join(command)}`: {error}") from error


class Promtool:
    """It, found."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, *arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """What it says, with that on standard input."""
        return subprocess.run(
            [self._path, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            input=given,
            timeout=ANSWER_SECONDS,
            env=dict(os.environ),
        )

    def accepts(self, *arguments: object, given: str | None = None) -> None:
        """It has nothing to say against it, not even by the way."""
        said = self(*arguments, given=given)
        assert said.returncode == 0, f"{said.stdout}{said.stderr}"
        assert not said.stderr.strip(), said.stderr
