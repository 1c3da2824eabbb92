"""How a Chromium is found, with programs that stand for one, and with the real commands that fetch one."""

from __future__ import annotations

import asyncio
import io
import sys
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from tests.acceptance.service import exists, until
from tests.browser.chromium import NAMED, WHERE, Missing, NoChromium, distributions, find, run
from tests.browser.conftest import launched

if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWERS = "echo Chromium 1.2.3.4 for tests"
ADVISES = "echo install the snap of it >&2; exit 1"
REFUSES = "echo sudo: a password is required >&2; exit 1"
HAS_NONE = "echo reading; echo E: Unable to locate package chromium >&2; exit 100"
NO_HOST = "http://127.0.0.1:9"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(place: Path, tmp_path: Path) -> dict[str, str]:
    """Of a machine that has nothing, and no network."""
    return {
        "PATH": str(place),
        "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "browsers"),
        "PLAYWRIGHT_DOWNLOAD_HOST": NO_HOST,
        "PLAYWRIGHT_SKIP_BROWSER_GC": "1",
    }


def program(path: Path, does: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def test_the_one_that_is_named_is_taken_before_any_other(environment: dict[str, str], place: Path) -> None:
    program(place / "chromium", ANSWERS)
    named = program(place / "mine", ANSWERS)

    assert find(environment | {NAMED: str(named)}, is_root=True) == named


@pytest.mark.parametrize(
    ("does", "complaint"),
    [
        (None, "No such file or directory"),
        ("echo no library >&2; exit 127", "ended with 127: no library"),
        ("echo hello", "does not say its version, but: hello"),
    ],
)
def test_no_other_is_taken_where_the_one_that_is_named_does_not_work(
    environment: dict[str, str], place: Path, does: str | None, complaint: str
) -> None:
    program(place / "chromium", ANSWERS)
    named = program(place / "mine", does) if does else place / "mine"

    with pytest.raises(NoChromium) as raised:
        find(environment | {NAMED: str(named)}, is_root=True)

    assert f"{NAMED} is {named}" in str(raised.value)
    assert complaint in str(raised.value)


def test_of_those_on_path_the_first_that_answers_is_taken(environment: dict[str, str], place: Path) -> None:
    program(place / "chromium-browser", ADVISES)
    chrome = program(place / "google-chrome", ANSWERS)

    assert find(environment, is_root=True) == chrome


def test_playwrights_own_is_taken_where_path_has_none(environment: dict[str, str]) -> None:
    own = program(playwrights_own(environment), ANSWERS)

    assert find(environment, is_root=True) == own


def test_playwrights_own_is_fetched_where_none_is_there(environment: dict[str, str]) -> None:
    own = playwrights_own(environment)
    with archives(own.relative_to(environment["PLAYWRIGHT_BROWSERS_PATH"])) as host:
        found = find(environment | {"PLAYWRIGHT_DOWNLOAD_HOST": host}, is_root=True)

    assert found == own


@pytest.mark.parametrize("is_root", [True, False])
def test_the_distributions_package_is_installed_by_root_or_by_sudo(
    environment: dict[str, str], place: Path, tmp_path: Path, *, is_root: bool
) -> None:
    book = tmp_path / "book"
    new = place / "chromium"
    install = f'echo "#!/bin/sh\n{ANSWERS}" > {new}; /bin/chmod +x {new}'
    program(place / "apt-get", f'echo "$0 $@" >> {book}; [ "$3" = update ] || {{ {install}; }}')
    program(place / "sudo", f'echo "$0 $1" >> {book}; shift; exec "$@"')

    assert distributions(environment, is_root=is_root) == new

    apt = f"{place}/apt-get -o DPkg::Lock::Timeout=120"
    said = [f"{apt} update", f"{apt} install -y --no-install-recommends chromium"]
    sudo = [] if is_root else [f"{place}/sudo -n"]
    assert book.read_text().splitlines() == [*sudo, said[0], *sudo, said[1]]


@pytest.mark.parametrize(
    ("programs", "is_root", "complaint"),
    [
        ({}, True, "no apt-get here"),
        ({"apt-get": "exit 0"}, False, "neither root nor sudo here"),
        ({"apt-get": "exit 0", "sudo": REFUSES}, False, "ended with 1: sudo: a password is required"),
        ({"apt-get": HAS_NONE}, True, "ended with 100: E: Unable to locate package chromium"),
        ({"apt-get": "exit 0", "chromium-browser": ADVISES}, True, "ended with 1: install the snap of it"),
    ],
)
def test_where_the_distributions_package_cannot_be_had_it_is_said_why(
    environment: dict[str, str], place: Path, programs: dict[str, str], complaint: str, *, is_root: bool
) -> None:
    for name, does in programs.items():
        program(place / name, does)

    with pytest.raises(Missing) as raised:
        distributions(environment, is_root=is_root)

    assert complaint in str(raised.value)


def test_where_none_can_be_had_one_message_says_what_was_tried_and_what_to_do(
    environment: dict[str, str], place: Path
) -> None:
    browser = program(place / "chromium-browser", ADVISES)
    program(place / "apt-get", HAS_NONE)

    with pytest.raises(NoChromium) as raised:
        find(environment, is_root=True)

    first, named, on_path, own, package, advice = str(raised.value).splitlines()
    assert first == "the tests in tests/browser need a Chromium, and there is none:"
    assert named == f"- {NAMED}: not set"
    assert on_path == f"- on PATH: {browser} does not work: `{browser} --version` ended with 1: install the snap of it"
    assert own.startswith(
        "- Playwright's own: `python -m playwright install --no-shell chromium` ended with 1: Error: "
    )
    assert package.startswith(f"- the distribution's package: `{place / 'apt-get'} ")
    assert package.endswith("ended with 100: E: Unable to locate package chromium")
    assert advice == f"Install one (Debian: `apt-get install chromium`), or set {NAMED} to the path of one."


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    book = tmp_path / "book"
    command = program(tmp_path / "slow", f"/bin/sleep 3600 & echo $! > {book}; wait")

    with pytest.raises(Missing, match=r"took more than 0\.5 s"):
        run([str(command)], {}, 0.5)

    until(lambda: not exists(int(book.read_text())), "the end of what it started")


def test_a_browser_leaves_no_loop_behind_that_would_be_in_the_way_of_other_tests(chromium: Path) -> None:
    with sync_playwright() as playwright:
        browser = launched(playwright, chromium)
        page = browser.new_page()
        page.set_content("<p>there")
        assert page.inner_text("p") == "there"
        browser.close()

    async def answer() -> int:
        return 42

    assert asyncio.run(answer()) == 42


def playwrights_own(environment: dict[str, str]) -> Path:
    """Where Playwright looks for its own."""
    return Path(run([sys.executable, "-c", WHERE], environment, 60).strip())


@contextmanager
def archives(path: Path) -> Iterator[str]:
    """A host of Playwright's browsers, in which a program that stands for one has that path."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in (str(Path(*path.parts[1:])), "ffmpeg-linux", "ffmpeg-mac"):
            archive.writestr(name, f"#!/bin/sh\n{ANSWERS}\n")

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(packed.getvalue())))
            self.end_headers()
            self.wfile.write(packed.getvalue())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
