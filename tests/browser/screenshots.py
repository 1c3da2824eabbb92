"""Pictures of the pages for the documentation: `python -m tests.browser.screenshots [FOLDER]`."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from tests.browser.chromium import find
from tests.browser.conftest import launched
from tests.browser.pages import pages
from tests.browser.past import Past

FOLDER = Path(__file__).parents[2] / "docs" / "images"
VIEWPORT: ViewportSize = {"width": 1280, "height": 800}
SCALE = 2
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS = 160


def main(folder: Path) -> None:
    """The pictures are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        past = Past(Path(place) / "data")
        with pages(past.service) as address, sync_playwright() as playwright:
            browser = launched(playwright, find(os.environ, is_root=os.geteuid() == 0))
            for scheme in SCHEMES:
                page = browser.new_page(color_scheme=scheme, viewport=VIEWPORT, device_scale_factor=SCALE)
                for name, path in {
                    "ops": "/",
                    "requests": "/requests?status=failed",
                    "record": f"/requests/{past.flights}",
                }.items():
                    page.goto(f"{address}{path}")
                    (folder / f"{name}-{scheme}.png").write_bytes(small(page.screenshot(full_page=True)))
                page.close()
            browser.close()


def small(picture: bytes) -> bytes:
    """The same picture, as far as anybody sees, in fewer colours and bytes."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
