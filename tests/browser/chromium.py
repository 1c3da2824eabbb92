"""A Chromium for the tests: the one that is named, else one that is there, else one that is fetched."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAMED = "ACUSE_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PACKAGE = "chromium"

ANSWER_SECONDS = 60.0
FETCH_SECONDS = 300.0

WHERE = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""

FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


class NoChromium(Exception):
    """There is none, and none can be had; the message says what was tried and what to do."""


class Missing(Exception):
    """It is not to be had in that way."""


def find(environment: Mapping[str, str], *, is_root: bool) -> Path:
    """The path of a Chromium that answers. Raises NoChromium."""
    if named := environment.get(NAMED):
        try:
            return working(Path(named))
        except Missing as missing:
            raise NoChromium(f"{NAMED} is {named}, which {missing}; correct it, or unset it") from missing
    ways: dict[str, Callable[[], Path]] = {
        "on PATH": partial(on_path, environment),
        "Playwright's own": partial(playwrights, environment),
        "the distribution's package": partial(distributions, environment, is_root=is_root),
    }
    tried = []
    for way, look in ways.items():
        try:
            return look()
        except Missing as missing:
            tried.append(f"- {way}: {missing}")
    raise NoChromium(
        "\n".join(
            (
                "the tests in tests/browser need a Chromium, and there is none:",
                f"- {NAMED}: not set",
                *tried,
                f"Install one (Debian: `apt-get install {PACKAGE}`), or set {NAMED} to the path of one.",
            )
        )
    )


def on_path(environment: Mapping[str, str]) -> Path:
    """The first on PATH, of any of its names, that answers."""
    found = [path for name in NAMES if (path := shutil.which(name, path=environment.get("PATH", "")))]
    if not found:
        raise Missing(f"none of {', '.join(NAMES)}")
    failures = []
    for path in found:
        try:
            return working(Path(path))
        except Missing as missing:
            failures.append(f"{path} {missing}")
    raise Missing("; ".join(failures))


def playwrights(environment: Mapping[str, str]) -> Path:
    """Playwright's own, fetched if it is not there."""
    own = Path(run([sys.executable, "-c", WHERE], environment, ANSWER_SECONDS).strip())
    if not own.exists():
        run([sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"], environment, FETCH_SECONDS)
    try:
        return working(own)
    except Missing as missing:
        raise Missing(f"{own} {missing}") from missing


def distributions(environment: Mapping[str, str], *, is_root: bool) -> Path:
    """What the distribution's package puts on PATH, once it is installed."""
    path = environment.get("PATH", "")
    apt = shutil.which("apt-get", path=path)
    if apt is None:
        raise Missing("no apt-get here")
    sudo = [] if is_root else [shutil.which("sudo", path=path), "-n"]
    if None in sudo:
        raise Missing("neither root nor sudo here")
    as_root = [word for word in (*sudo, apt, "-o", "DPkg::Lock::Timeout=120") if word]
    # What a package runs to set itself up is not on everybody's PATH.
    apart = {**environment, "PATH": f"{path}:/usr/sbin:/sbin", "DEBIAN_FRONTEND": "noninteractive"}
    run([*as_root, "update"], apart, FETCH_SECONDS)
    run([*as_root, "install", "-y", "--no-install-recommends", PACKAGE], apart, FETCH_SECONDS)
    return on_path(environment)


def working(path: Path) -> Path:
    """The path, of what says which version it is. What only tells how to install it does not."""
    try:
        said = run([str(path), "--version"], os.environ, ANSWER_SECONDS)
    except Missing as missing:
        raise Missing(f"does not work: {missing}") from missing
    if not re.search(r"\d+(\.\d+){3}", said):
        raise Missing(f"does not say its version, but: {_gist(said)}")
    return path


def run(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> str:
    """What it wrote to standard output."""
    name = " ".join(command).replace(sys.executable, "python").splitlines()[0]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise Missing(f"`{name}`: {error.strerror}") from error
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise Missing(f"`{name}` took more than {seconds:g} s") from error
    if process.returncode:
        raise Missing(f"`{name}` ended with {process.returncode}: {_gist(err + out)}")
    return out


def _gist(text: str) -> str:
    """The first line that tells of an error, or else the last."""
    lines = [line for one in text.splitlines() if (line := one.strip())] or ["nothing said"]
    errors = [line for line in lines if re.match(r"(E|\w*error):", line, re.IGNORECASE)]
    return (errors or lines[-1:])[0][:300]
