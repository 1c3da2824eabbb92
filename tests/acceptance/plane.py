"""An ops plane that a command has opened, and what it tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from tests.acceptance.service import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

Samples = dict[str, float]


def samples(client: httpx.Client, url: str) -> Samples:
    """By name and labels; of the histograms only how many and how much."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if not line.startswith("#") and "_bucket" not in line]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@contextmanager
def ops_plane(
    command: str, *arguments: object, **environment: str
) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """A client of the ops plane that the command has opened, and its process."""
    whole = [sys.executable, "-m", "acuse", command, "--ops-port", "0", *map(str, arguments)]
    with subprocess.Popen(
        whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment}
    ) as process:
        assert process.stdout is not None
        said = ""
        while "metrics" not in said:
            said += (line := process.stdout.readline())
            assert line, "it ended at once"
        url = re.findall(r"metrics +(\S+)/metrics", said)[0]
        try:
            with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
                yield client, process
        finally:
            process.terminate()
