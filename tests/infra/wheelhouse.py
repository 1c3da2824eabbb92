"""Wheels made here, so that pip builds a bundle without a network."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest


class Wheelhouse:
    """A folder of wheels, and the only place where pip looks."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        folder.mkdir()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def add(self, name: str, files: Mapping[str, str], *, version: str = "1.0", tag: str = "py3-none-any") -> str:
        """The wheel is there; a line of requirements that names it, with its hash."""
        wheel = self._folder / f"{name}-{version}-{tag}.whl"
        about = f"{name}-{version}.dist-info"
        described = {
            f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: {str(tag.endswith('any')).lower()}\nTag: {tag}\n",
        }
        record = "".join(f"{path},,\n" for path in (*files, *described, f"{about}/RECORD"))
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in {**files, **described, f"{about}/RECORD": record}.items():
                archive.writestr(path, text)
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
