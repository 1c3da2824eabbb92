"""Both stacks of a deployment, as templates, and what their references mean."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from infra.app import synthesize
from infra.bundle import Architecture, Code
from infra.deployment import Deployment


class Stacks(NamedTuple):
    """The templates."""

    service: dict[str, Any]
    storage: dict[str, Any]
    protected: dict[str, bool] = {}  # noqa: RUF012  (never changed)
    """Whether a stack can be deleted only after somebody has said so."""

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of the service stack's resources of that type, by their logical ids."""
        found = {name: one for name, one in self.service["Resources"].items() if one["Type"] == kind}
        return {name: one.get("Properties", {}) for name, one in found.items()}

    def type_of(self, reference: Any) -> str:
        """Of the resource that is meant, in whichever stack it is."""
        match reference:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), str()]}:
                return str(self.service["Resources"][name]["Type"])
            case {"Fn::ImportValue": str(export)}:
                outputs = self.storage["Outputs"].values()
                value = next(one["Value"] for one in outputs if one.get("Export", {}).get("Name") == export)
                return Stacks(self.storage, {}).type_of(value)
            case {"Fn::Select": [int() | str(), inner]} | {"Fn::Split": [str(), inner]}:
                return self.type_of(inner)
            case {"Fn::Join": [str(), [*parts]]}:
                types = {self.type_of(part) for part in parts if not isinstance(part, str)}
                assert len(types) == 1, reference
                return types.pop()
        raise AssertionError(f"no reference: {reference}")


def stacks(deployment: Deployment) -> Stacks:
    """The same object for the same deployment. What functions run from is empty."""
    return _stacks(msgspec.json.encode(deployment))


@cache
def _stacks(deployment: bytes) -> Stacks:
    wanted = msgspec.json.decode(deployment, type=Deployment)
    with TemporaryDirectory() as scratch:
        code, made = Path(scratch, "code"), Path(scratch, "stacks")
        code.mkdir()
        synthesize(wanted, Code(code, Architecture.ARM64), made)
        service, storage = (
            json.loads((made / f"{wanted.name}-{one}.template.json").read_text()) for one in ("service", "storage")
        )
        artifacts = json.loads((made / "manifest.json").read_text())["artifacts"]
    protected = {
        one: artifacts[f"{wanted.name}-{one}"]["properties"].get("terminationProtection", False)
        for one in ("service", "storage")
    }
    return Stacks(service, storage, protected)
