"""Assembly: what the CDK has synthesized, read: stacks in the order in which they can be deployed, and their assets."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STACK = "aws:cloudformation:stack"
ASSETS = "cdk:asset-manifest"
FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can name."""
LEVEL = 1
"""Of compression: half the size in half the time of the usual."""


class Unsupported(Exception):
    """The assembly has something that is deployed by the CDK's own command only."""


class Asset(NamedTuple):
    """A file or folder, and where the templates expect it, a folder as a zip file."""

    source: Path
    bucket: str
    key: str

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """What is to be stored there; of a folder the same bytes for the same content."""
        if self.source.is_file():
            with self.source.open("rb") as file:
                yield file
            return
        with tempfile.TemporaryFile() as file:
            _zip(self.source, file)
            file.seek(0)
            yield file


class Template(NamedTuple):
    """One stack: its template is among its assets."""

    stack: str
    bucket: str
    key: str
    is_protected: bool
    tags: Mapping[str, str]
    assets: tuple[Asset, ...]


def read(folder: Path, *, account: str, region: str) -> list[Template]:
    """The stacks, each after those that it needs, for that account and region. Raises Unsupported."""
    manifest = json.loads((folder / "manifest.json").read_text())
    artifacts: dict[str, dict[str, Any]] = manifest["artifacts"]
    placeholders = {"${AWS::AccountId}": account, "${AWS::Region}": region, "${AWS::Partition}": "aws"}
    needs = {name: artifact.get("dependencies", []) for name, artifact in artifacts.items()}
    return [
        _template(name, artifacts, folder, placeholders)
        for name in TopologicalSorter(needs).static_order()
        if artifacts[name]["type"] == STACK
    ]


def _template(
    name: str, artifacts: Mapping[str, dict[str, Any]], folder: Path, placeholders: Mapping[str, str]
) -> Template:
    properties = artifacts[name]["properties"]
    place = _filled(properties["stackTemplateAssetObjectUrl"], placeholders).removeprefix("s3://")
    bucket, _, key = place.partition("/")
    return Template(
        stack=properties.get("stackName", name),
        bucket=bucket,
        key=key,
        is_protected=properties.get("terminationProtection", False),
        tags=properties.get("tags", {}),
        assets=tuple(
            asset
            for needed in artifacts[name].get("dependencies", [])
            if artifacts[needed]["type"] == ASSETS
            for asset in _assets(folder / artifacts[needed]["properties"]["file"], placeholders)
        ),
    )


def _assets(manifest: Path, placeholders: Mapping[str, str]) -> Iterator[Asset]:
    listed = json.loads(manifest.read_text())
    if listed.get("dockerImages"):
        raise Unsupported(f"{manifest.name}: container images need Docker and the CDK's own command")
    for asset in listed.get("files", {}).values():
        for place in asset["destinations"].values():
            yield Asset(
                manifest.parent / asset["source"]["path"],
                _filled(place["bucketName"], placeholders),
                _filled(place["objectKey"], placeholders),
            )


def _filled(text: str, placeholders: Mapping[str, str]) -> str:
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return text


def _zip(folder: Path, target: IO[bytes]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as package:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            member = zipfile.ZipInfo(path.relative_to(folder).as_posix(), FIRST_DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (path.stat().st_mode & 0o777) << 16
            with path.open("rb") as source, package.open(member, "w") as written:
                shutil.copyfileobj(source, written)
