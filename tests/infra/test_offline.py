"""The whole assembly, of either profile, made twice: here, and where everything is another and there is no network."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra import app

if TYPE_CHECKING:
    from collections.abc import Sequence


ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"
DEPLOYMENTS = {
    "lambda": 'alarm_email = "ops@example.com"\nactions = ["look.py"]\n',
    "fargate": """
        profile = "fargate"
        actions = ["look.py"]
        intake.access = "keys"
        table.customer_key = true
        containers.public = true
        containers.internet = true
        containers.certificate = "arn:aws:acm:eu-west-1:123456789012:certificate/c"
    """,
}
ELSEWHERE = {
    "PYTHONHASHSEED": "7",
    "TZ": "Asia/Kolkata",
    "LANG": "C",
    "AWS_REGION": "eu-south-2",
    "AWS_DEFAULT_REGION": "eu-south-2",
    "AWS_PROFILE": "nobody",
    "AWS_ACCESS_KEY_ID": "somebody",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_ENDPOINT_URL": NOWHERE,
    "CDK_DEFAULT_ACCOUNT": "210987654321",
    "CDK_DEFAULT_REGION": "eu-south-2",
    **{name: NOWHERE for scheme in ("http", "https", "all") for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")},
}
UNPACKED = Path.home() / ".cache" / "aws" / "jsii" / "package-cache"
"""The CDK, which each process with another home would unpack again, for seconds."""
WARNINGS = {"aws:cdk:info", "aws:cdk:warning", "aws:cdk:error"}
REACH = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=5)"


def without_network() -> Sequence[str]:
    """A command that runs another where no address can be reached; nothing, where this machine does not let us."""
    hidden = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
    if not shutil.which(hidden[0]) or subprocess.run([*hidden, "true"], check=False, capture_output=True).returncode:
        return []
    return hidden


def arguments(folder: Path) -> list[str]:
    """Of the app, for what lies in that folder."""
    wanted = {"--code": folder / "code", "--architecture": "arm64", "--deployment": folder / "mine.toml"}
    return [str(folder / "out"), *(str(word) for pair in wanted.items() for word in pair)]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module", params=DEPLOYMENTS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same deployment and code in two places, and what came of them."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("elsewhere") / "deeper" / "still"
    (there / "tmp").mkdir(parents=True)
    for folder in (here, there):
        (folder / "code" / "acuse").mkdir(parents=True)
        (folder / "code" / "acuse" / "__init__.py").write_text("")
        (folder / "look.py").write_text("from acuse import Action\n")
        (folder / "mine.toml").write_text(DEPLOYMENTS[request.param])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["infra.app", *arguments(here)])
        app.main()
    home = {"HOME": str(there), "TMPDIR": str(there / "tmp"), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    unpacked = {"JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(UNPACKED)} if UNPACKED.is_dir() else {}
    process = subprocess.run(
        [*without_network(), sys.executable, "-m", "infra.app", *arguments(there)],
        env={**home, **unpacked, **ELSEWHERE},
        cwd=there,
        check=False,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return here / "out", there / "out"


def test_all_that_is_made_is_the_same(made: tuple[Path, Path]) -> None:
    here, there = map(contents, made)

    assert {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)} == set()
    assert {name.partition(".")[0] for name in here} >= {"acuse-service", "acuse-storage", "asset", "manifest"}


def test_it_says_nothing_of_where_it_was_made(made: tuple[Path, Path]) -> None:
    for folder in made:
        texts = [file.read_text() for file in folder.glob("*.json")]
        for trace in (str(folder.parent), str(ROOT), sys.prefix, "jsii-kernel"):
            assert not [text for text in texts if trace in text], trace
        assert not [text for text in texts if ELSEWHERE["CDK_DEFAULT_ACCOUNT"] in text]


def test_it_fits_any_account_and_region(made: tuple[Path, Path]) -> None:
    for folder in made:
        manifest = json.loads((folder / "manifest.json").read_text())
        assert {
            one["environment"] for one in manifest["artifacts"].values() if one["type"] == "aws:cloudformation:stack"
        } == {"aws://unknown-account/unknown-region"}
        assert "missing" not in manifest  # What would have to be looked up.


def test_nothing_is_warned_of(made: tuple[Path, Path]) -> None:
    for name in ("acuse-service", "acuse-storage"):
        told = json.loads((made[0] / f"{name}.metadata.json").read_text())
        assert [
            entry for one in told.values() for entry in one if entry["type"] in {"aws:cdk:warning", "aws:cdk:error"}
        ] == []


def test_without_a_network_not_even_this_machine_can_be_reached() -> None:
    """Where a process cannot be put into a network of its own, proxies that lead nowhere are all there is."""
    hidden = without_network()
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach = [sys.executable, "-c", REACH, str(server.getsockname()[1])]
        assert subprocess.run(reach, check=False, capture_output=True).returncode == 0
        assert not hidden or subprocess.run([*hidden, *reach], check=False, capture_output=True).returncode != 0
