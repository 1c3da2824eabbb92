"""Templates → HTML. Whatever is put into them is escaped, and a name that they miss is an error."""

from __future__ import annotations

from hashlib import sha256
from importlib import metadata, resources
from typing import TYPE_CHECKING

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from acuse.application.duration import ago
from acuse.domain.record import rfc3339
from acuse.entrypoints.ops import words
from acuse.entrypoints.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOR_A_YEAR = "private, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """A file that a page needs. Its address changes when it does, so that a browser need not ask again."""

    name: str
    content: bytes

    @property
    def address(self) -> str:
        """Where a page finds it."""
        return f"/static/{self.name}?v={sha256(self.content).hexdigest()[:12]}"

    def answer(self) -> Response:
        """The file, to be kept."""
        kind = TYPES[self.name.rpartition(".")[2]]
        return Response(self.content, media_type=kind, headers={"cache-control": FOR_A_YEAR})


class Templates:
    """The templates of this package."""

    def __init__(self) -> None:
        """They are read when they are first needed."""
        folder = resources.files(__package__) / "static"
        self.assets = {file.name: Asset(file.name, file.read_bytes()) for file in folder.iterdir()}
        self._environment = Environment(
            loader=PackageLoader(__package__ or ""),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "ago": ago,
            "iso": rfc3339,
            "utc": words.utc,
            "exactly": words.exactly,
            "visible": visible,
            "number": "{:,}".format,
        }
        self._environment.globals |= {
            "version": metadata.version("acuse"),
            "assets": {asset.name.replace(".", "_"): asset.address for asset in self.assets.values()},
        }

    def page(
        self, name: str, view: object, now: datetime, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        """The page of that template. `now`: what is told as so long ago is seen from there."""
        content = self._environment.get_template(f"{name}.html").render(view=view, now=now)
        return HTMLResponse(content, status, headers)
