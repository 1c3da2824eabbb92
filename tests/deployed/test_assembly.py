"""What was synthesized is read as it was meant, and packed the same each time."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from infra.deploy_assembly import Asset, Template, Unsupported, read

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT, REGION = "123456789012", "eu-south-2"


def test_stacks_come_after_those_that_they_need_with_account_and_region_filled_in(tmp_path: Path) -> None:
    _write(tmp_path, first=["second"], second=[])

    second, first = read(tmp_path, account=ACCOUNT, region=REGION)

    assert second == Template(
        stack="the-second",
        bucket=f"assets-{ACCOUNT}-{REGION}",
        key="second.json",
        is_protected=True,
        tags={"of": "second"},
        assets=(
            Asset(tmp_path / "second.template.json", f"assets-{ACCOUNT}-{REGION}", "second.json"),
            Asset(tmp_path / "code", f"assets-{ACCOUNT}-{REGION}", "code.zip"),
        ),
    )
    assert first.stack == "the-first"


def test_images_are_not_for_this_way(tmp_path: Path) -> None:
    _write(tmp_path, images={"image": {}}, only=[])

    with pytest.raises(Unsupported, match=r"only\.assets\.json: container images"):
        read(tmp_path, account=ACCOUNT, region=REGION)


def test_a_folder_is_packed_the_same_whatever_its_dates_and_its_order(tmp_path: Path) -> None:
    packages = [_packed(_folder(tmp_path / name, names)) for name, names in {"a": "xyz", "b": "zyx"}.items()]

    assert packages[0] == packages[1]
    with zipfile.ZipFile(io.BytesIO(packages[0])) as package:
        assert package.namelist() == ["in/x", "in/y", "in/z"]
        assert package.read("in/y") == b"y"
        assert (package.getinfo("in/y").external_attr >> 16) & 0o777 == 0o755


def test_a_file_is_stored_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")

    assert _packed(tmp_path / "file") == b"content"


def _write(folder: Path, images: dict[str, Any] | None = None, **stacks: list[str]) -> None:
    place = {"bucketName": "assets-${AWS::AccountId}-${AWS::Region}"}
    artifacts: dict[str, Any] = {"Tree": {"type": "cdk:tree"}}
    for name, needed in stacks.items():
        files = {
            "1": {
                "source": {"path": f"{name}.template.json", "packaging": "file"},
                "destinations": {"here": {**place, "objectKey": f"{name}.json"}},
            },
            "2": {
                "source": {"path": "code", "packaging": "zip"},
                "destinations": {"here": {**place, "objectKey": "code.zip"}},
            },
        }
        (folder / f"{name}.assets.json").write_text(json.dumps({"files": files, "dockerImages": images or {}}))
        artifacts[f"{name}.assets"] = {"type": "cdk:asset-manifest", "properties": {"file": f"{name}.assets.json"}}
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "dependencies": [*needed, f"{name}.assets"],
            "properties": {
                "stackName": f"the-{name}",
                "stackTemplateAssetObjectUrl": f"s3://{place['bucketName']}/{name}.json",
                "terminationProtection": name == "second",
                "tags": {"of": name},
            },
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


def _folder(folder: Path, names: str) -> Path:
    (folder / "in").mkdir(parents=True)
    for age, name in enumerate(names):
        file = folder / "in" / name
        file.write_text(name)
        file.chmod(0o755)
        os.utime(file, (1_000_000_000 + age,) * 2)
    return folder


def _packed(source: Path) -> bytes:
    with Asset(source, "bucket", "key").opened() as file:
        return file.read()
