"""What functions run from: as pip builds it from wheels made here, and as it lies in build/ before a deployment."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from infra.bundle import ROOT, Architecture, Code, build, with_actions

from infra import bundle
from tests.infra.wheelhouse import Wheelhouse

if TYPE_CHECKING:
    from collections.abc import Iterator


BUILT = {Architecture.here(): ROOT / "build" / "bundle", Architecture.ARM64: ROOT / "build" / "bundle-arm64"}
MACHINES = {Architecture.X86_64: 62, Architecture.ARM64: 183}
"""As ELF numbers them."""
CAS = "certifi/cacert.pem"
UNZIPPED = 250 * 1024**2
"""The largest that a function may run from (Lambda quotas)."""
ALONE = ("-I", "-S", "-B", "-c")
"""Neither the environment, nor the folder it is started in, nor any installed package."""
IMPORT = """
import importlib, sys, sysconfig
sys.path.insert(0, sys.argv[1])
for name in ("api", "relay", "worker", "dead_letters"):
    assert callable(importlib.import_module("acuse.entrypoints.lambdas." + name).handler)
known = (sys.argv[1], sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
print([one for one in sys.modules.values() if not (getattr(one, "__file__", None) or sys.argv[1]).startswith(known)])
"""


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch) -> Wheelhouse:
    """Instead of all that the service needs, a package that is the same everywhere, and one that is not."""
    folder = tmp_path_factory.mktemp("wheels")
    made = Wheelhouse(folder / "wheels", patch)
    python = f"cp{bundle.PYTHON.replace('.', '')}"
    lines = {
        made.add("native", {"native/made_for": one.machine}, tag=f"{python}-{python}-manylinux_2_17_{one.machine}")
        for one in Architecture
    }
    hashes = " ".join(line.partition(" ")[2] for line in sorted(lines))
    lines = {f"native==1.0 {hashes}", made.add("tiny", {"tiny.py": "size = 'small'\n", "bin/tiny": "#!/bin/sh\n"})}
    (folder / "requirements.txt").write_text("\n".join(sorted(lines)))
    patch.setattr(bundle, "REQUIREMENTS", folder / "requirements.txt")
    return made


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory, wheels: Wheelhouse) -> Code:  # noqa: ARG001  (pip looks there)
    return build(tmp_path_factory.mktemp("built") / "code", Architecture.ARM64)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def alone(program: str, *arguments: object) -> str:
    command = [sys.executable, *ALONE, program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", env={}).stdout.strip()


@pytest.fixture(params=list(BUILT))
def built(request: pytest.FixtureRequest) -> Code:
    architecture: Architecture = request.param
    folder = BUILT[architecture]
    assert (folder / "acuse").is_dir(), "run `make bundle` and `make synth` first"
    return Code(folder, architecture)


def test_the_same_sources_give_the_same_bytes_in_any_folder(code: Code, tmp_path: Path) -> None:
    again = build(tmp_path / "elsewhere" / "deeper" / "code", Architecture.ARM64)

    assert contents(again.folder) == contents(code.folder)


def test_what_is_native_is_of_the_machine_that_was_asked_for(code: Code, tmp_path: Path) -> None:
    assert (code.folder / "native" / "made_for").read_text() == "aarch64"
    for architecture in Architecture:
        [line] = [one for one in bundle.REQUIREMENTS.read_text().splitlines() if one.startswith("native")]
        bundle._pip(tmp_path / architecture, *bundle._wheels_for(architecture), line.partition(" ")[0])
        assert (tmp_path / architecture / "native" / "made_for").read_text() == architecture.machine


@pytest.mark.parametrize("pinned_by", ["hash of something else", "version"])
def test_nothing_is_taken_but_what_its_hash_says(
    pinned_by: str, wheels: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = wheels.add("pinned", {"pinned.py": ""}).partition(" ")[0]
    other = wheels.add("other", {"other.py": ""}).partition(" ")[2]
    (tmp_path / "requirements.txt").write_text(pinned if pinned_by == "version" else f"{pinned} {other}")
    monkeypatch.setattr(bundle, "REQUIREMENTS", tmp_path / "requirements.txt")

    with pytest.raises(subprocess.CalledProcessError):
        build(tmp_path / "code", Architecture.ARM64)


def test_what_is_compiled_holds_whatever_the_dates_of_the_files(code: Code, tmp_path: Path) -> None:
    folder = with_actions(code, tmp_path / "code", [], None).folder
    (folder / "tiny.py").unlink()
    (folder / "tiny.py").write_text("size = 'another'\n")
    os.utime(folder / "tiny.py", (315_532_800, 315_532_800))

    assert alone("import sys; sys.path.insert(0, sys.argv[1]); print(__import__('tiny').size)", folder) == "small"


def test_actions_and_what_they_need_travel_with_the_code(code: Code, wheels: Wheelhouse, tmp_path: Path) -> None:
    before = contents(code.folder)
    reports, requirements = tmp_path / "reports.py", tmp_path / "requirements.txt"
    reports.write_text("import scales\nweight = scales.weight\n")
    requirements.write_text(wheels.add("scales", {"scales.py": "weight = 7\n"}))

    made = with_actions(code, tmp_path / "code", [reports], requirements)

    assert alone("import sys; sys.path.insert(0, sys.argv[1]); print(__import__('reports').weight)", made.folder) == "7"
    assert (made.architecture, made.files, made.requirements) == (code.architecture, (reports,), requirements)
    assert contents(code.folder) == before
    assert contents(made.folder).items() > before.items()


@pytest.mark.parametrize("name", ["acuse.py", "tiny.py", "json.py"])
def test_an_action_does_not_stand_in_for_a_module_that_is_there(name: str, code: Code, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")

    with pytest.raises(FileExistsError, match=Path(name).stem):
        with_actions(code, tmp_path / "code", [tmp_path / name], None)


def test_two_files_of_actions_have_two_names(code: Code, tmp_path: Path) -> None:
    files = [tmp_path / folder / "reports.py" for folder in ("sales", "stock")]
    for file in files:
        file.parent.mkdir()
        file.write_text("")

    with pytest.raises(FileExistsError, match="stock"):
        with_actions(code, tmp_path / "code", files, None)


def test_actions_do_not_bring_another_version_of_what_the_service_has(
    code: Code, wheels: Wheelhouse, tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text(wheels.add("tiny", {"tiny.py": "size = 'large'\n"}, version="2.0"))

    with pytest.raises(FileExistsError, match="tiny"):
        with_actions(code, tmp_path / "code", [], tmp_path / "requirements.txt")


def test_no_bundle_is_built_for_a_python_that_lambda_has_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundle, "PYTHON", "3.10")
    monkeypatch.setattr(sys, "argv", ["bundle", str(tmp_path / "code")])

    with pytest.raises(SystemExit):
        bundle.main()

    assert "no Python 3.10" in capsys.readouterr().err


def test_every_library_in_a_bundle_is_for_its_machine(built: Code) -> None:
    libraries = [file for file in built.folder.rglob("*") if ".so" in file.suffixes]

    machines = {int.from_bytes(file.read_bytes()[18:20], "little") for file in libraries}

    assert len(libraries) >= 5
    assert machines == {MACHINES[built.architecture]}


def test_bundles_for_two_machines_differ_in_their_libraries_alone() -> None:
    """Of the service itself its sources may have changed between the two. A network that looks into TLS adds to CAS."""
    here, there = (contents(folder) for folder in dict.fromkeys(BUILT.values()))
    told = {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}

    assert {
        name
        for name in told
        if name != CAS
        and ".so" not in Path(name).suffixes
        and ".dist-info/" not in name
        and not name.startswith("acuse/")
    } == set()


def test_a_bundle_says_nothing_of_where_it_was_made(code: Code) -> None:
    traces = [str(path).encode() for path in (ROOT, sys.prefix, Path(tempfile.gettempdir(), "pip-"))]

    for folder in {code.folder, *BUILT.values()}:
        told = {name for name, text in contents(folder).items() if any(trace in text for trace in traces)}
        assert told == set()
        assert not (folder / "bin").exists()


def test_all_of_a_bundle_is_compiled_for_its_runtime(built: Code) -> None:
    sources = list(built.folder.rglob("*.py"))

    assert len(sources) > 500
    for source in sources:
        header = Path(importlib.util.cache_from_source(str(source))).read_bytes()[:16]
        flags, digest = header[4:8], header[8:]
        assert header[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(flags, "little") == 0b01, source  # By its hash, which nobody compares.
        assert digest == importlib.util.source_hash(source.read_bytes()), source
    assert built.python == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_a_bundle_is_small_enough_for_a_function(built: Code) -> None:
    assert sum(file.stat().st_size for file in built.folder.rglob("*")) < UNZIPPED


def test_the_handlers_need_the_bundle_and_the_standard_library_alone() -> None:
    assert alone(IMPORT, BUILT[Architecture.here()]) == "[]"
