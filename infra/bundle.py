"""Code: what functions run from, built with pip for a machine that need not be this one; no Docker."""

from __future__ import annotations

import argparse
import compileall
import platform
import py_compile
import shutil
import subprocess
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements" / "lambda.txt"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Functions run on the Python that built and tested them: what it compiled is good for no other."""
GLIBC = {"3.11": (17,), **dict.fromkeys(("3.12", "3.13", "3.14"), (17, 28, 34))}
"""Minor versions of the C library for which wheels run on that Python's runtime (Amazon Linux 2: 2.26; 2023: 2.34)."""


class Architecture(StrEnum):
    """Of the processor, as Lambda names it."""

    ARM64 = "arm64"
    X86_64 = "x86_64"

    @property
    def machine(self) -> str:
        """As wheels name it."""
        return "aarch64" if self is Architecture.ARM64 else "x86_64"

    @classmethod
    def here(cls) -> Architecture:
        """Of this machine."""
        return cls.ARM64 if platform.machine() in {"arm64", "aarch64"} else cls.X86_64


class Code(NamedTuple):
    """A folder from which functions run, and what it was built for."""

    folder: Path
    architecture: Architecture
    python: str = PYTHON
    files: tuple[Path, ...] = ()
    """Of actions that are in it, where they came from: an image is built of them anew."""
    requirements: Path | None = None
    """What those need."""


def build(folder: Path, architecture: Architecture) -> Code:
    """The folder holds the service and what it needs, compiled; the same bytes for the same sources."""
    shutil.rmtree(folder, ignore_errors=True)
    _pip(folder, "--require-hashes", *_wheels_for(architecture), "--requirement", str(REQUIREMENTS))
    _pip(folder, "--no-deps", "--no-build-isolation", "--upgrade", str(ROOT))
    return _settled(Code(folder, architecture))


def with_actions(code: Code, folder: Path, files: Sequence[Path], requirements: Path | None) -> Code:
    """The same code and the actions' beside it, in another folder. What would replace what is there is refused."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(code.folder, folder, copy_function=_link)
    if requirements is not None:
        _pip(folder, "--require-hashes", *_wheels_for(code.architecture), "--requirement", str(requirements))
        packages = Counter(about.name.partition("-")[0] for about in folder.glob("*.dist-info"))
        if twice := sorted(name for name, times in packages.items() if times > 1):
            raise FileExistsError(f"{requirements}: the service has another version of {', '.join(twice)}")
    for file in files:
        if file.stem in sys.stdlib_module_names or any((folder / name).exists() for name in (file.name, file.stem)):
            raise FileExistsError(f"{file}: there is a module {file.stem} already")
        shutil.copyfile(file, folder / file.name)
    return _settled(code._replace(folder=folder, files=tuple(files), requirements=requirements))


def _wheels_for(architecture: Architecture) -> list[str]:
    """Only wheels, and only those that run there. For this machine pip knows by itself."""
    if architecture is Architecture.here() and sys.platform == "linux":
        return ["--only-binary=:all:"]
    platforms = [f"--platform=manylinux_2_{minor}_{architecture.machine}" for minor in GLIBC[PYTHON]]
    return ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON}", *platforms]


def _pip(folder: Path, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(folder)]
    subprocess.run([*pip, *arguments], check=True)  # noqa: S603


def _settled(code: Code) -> Code:
    """Without what tells of this machine, and with bytecode that holds whatever the files' dates say."""
    shutil.rmtree(code.folder / "bin", ignore_errors=True)
    for name in ("direct_url.json", "RECORD", "REQUESTED", "uv_cache.json"):
        for told in code.folder.glob(f"*.dist-info/{name}"):
            told.unlink()
    compileall.compile_dir(
        code.folder,
        quiet=2,
        force=True,
        stripdir=str(code.folder),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    return code


def _link(source: str, target: str) -> None:
    """One file under two names; a copy where the folders lie on different disks."""
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.bundle", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--architecture", type=Architecture, default=Architecture.here(), help="arm64 or x86_64")
    given = parser.parse_args()
    if PYTHON not in GLIBC:
        parser.error(f"Lambda has no Python {PYTHON}; make the environment with one of {', '.join(GLIBC)}")
    build(given.folder, given.architecture)


if __name__ == "__main__":
    main()
