"""Image: what the containers run from, built from infra/Dockerfile when the stack is deployed, or there already."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from aws_cdk import aws_ecr, aws_ecr_assets, aws_ecs

from infra.bundle import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import Construct

    from infra.bundle import Code

DOCKERFILE = "infra/Dockerfile"
BUILT_FROM = (
    DOCKERFILE,
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements/lambda.txt",
    "requirements/run.txt",
    "src",
)
"""All that infra/Dockerfile copies of this repository."""
ACTIONS = "actions"
REQUIREMENTS = f"{ACTIONS}/requirements.txt"


class Image(NamedTuple):
    """Of a container, and where it comes from."""

    container: aws_ecs.ContainerImage
    repository_arn: str


def built(scope: Construct, code: Code) -> Image:
    """The image that is built, with the actions that the code has."""
    with context(code) as folder:
        asset = aws_ecr_assets.DockerImageAsset(
            scope,
            "Image",
            directory=str(folder),
            file=DOCKERFILE,
            platform=aws_ecr_assets.Platform.LINUX_ARM64,
            asset_name="acuse",
        )
    return Image(aws_ecs.ContainerImage.from_docker_image_asset(asset), asset.repository.repository_arn)


def existing(scope: Construct, uri: str) -> Image:
    """The image in ECR with this URI; nothing is built."""
    registry, _, rest = uri.partition("/")
    account, _, _, region, *_ = registry.split(".")
    name, at, digest = rest.partition("@")
    name, _, tag = (name, at, digest) if at else rest.rpartition(":")
    repository = aws_ecr.Repository.from_repository_attributes(
        scope,
        "Repository",
        repository_arn=f"arn:aws:ecr:{region}:{account}:repository/{name}",
        repository_name=name,
    )
    return Image(aws_ecs.ContainerImage.from_ecr_repository(repository, tag), repository.repository_arn)


@contextmanager
def context(code: Code) -> Iterator[Path]:
    """For the time of the block, a folder from which the image can be built; the same for the same sources."""
    with tempfile.TemporaryDirectory(prefix="acuse-image-") as made:
        folder = Path(made)
        for name in BUILT_FROM:
            source, target = ROOT / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        (folder / ACTIONS).mkdir()
        for file in code.files:
            shutil.copyfile(file, folder / ACTIONS / file.name)
        if code.requirements is not None:
            shutil.copyfile(code.requirements, folder / REQUIREMENTS)
        yield folder
