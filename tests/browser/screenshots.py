"""Pictures of the pages for the documentation: `python -m tests.browser.screenshots [FOLDER]`."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from acuse.entrypoints.ops.app import ops_app
from acuse.entrypoints.ops.health import Health
from tests.browser.chromium import find
from tests.browser.conftest import launched
from tests.browser.past import Past
from tests.integration.server import hosted

FOLDER = Path(__file__).parents[2] / "docs" / "images"
WIDTH, SCALE = 1280, 2
COLOURS = 64
CHECKS = {"intake": 0.1, "worker-1": 0.1, "worker-2": 0.1}


def main(folder: Path) -> None:
    """The pictures are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        past = Past(Path(place) / "data")
        pages = {
            "ops": "/",
            "record": f"/requests/{past.flights}",
            "requests": "/requests?status=failed",
            "failed": f"/requests/{past.stock}",
        }
        app = ops_app(past.service, Health(lambda: CHECKS), lambda: "{}")
        with hosted(lambda: app, past.settings) as ((host, port), _), sync_playwright() as playwright:
            browser = launched(playwright, find(os.environ, is_root=os.geteuid() == 0))
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    color_scheme=scheme, viewport={"width": WIDTH, "height": 800}, device_scale_factor=SCALE
                )
                page = context.new_page()
                for name, path in pages.items():
                    page.goto(f"http://{host}:{port}{path}")
                    (folder / f"{name}-{scheme}.png").write_bytes(small(page.screenshot(full_page=True)))
                context.close()
            browser.close()


def small(picture: bytes) -> bytes:
    """The same picture, as far as anybody sees, in fewer colours and bytes."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
