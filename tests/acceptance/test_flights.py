"""The real work: what the parts and the merge come to is what a straight query over all the data says."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb

from tests.acceptance.service import PATIENCE_SECONDS, Running

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = 336_776


def test_the_merged_roll_up_equals_a_straight_count(tmp_path: Path) -> None:
    flights = tmp_path / "flights"
    with Running(tmp_path / "data", actions=EXAMPLES / "flights.py", FLIGHTS_FOLDER=str(flights)) as service:
        result = service.ended(service.accept(action="flights"))["result"]

    count: Counter[tuple[str, str, str]] = Counter()
    cancelled: Counter[tuple[str, str, str]] = Counter()
    miles: Counter[tuple[str, str, str]] = Counter()
    delay: Counter[tuple[str, str, str]] = Counter()
    with (flights / "flights.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            key = (f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}", row["origin"], row["carrier"])
            count[key] += 1
            miles[key] += int(row["distance"])
            if row["dep_delay"] in {"", "NA"}:
                cancelled[key] += 1
            else:
                delay[key] += int(float(row["dep_delay"]))
    rolled_up = duckdb.execute(
        "SELECT date::VARCHAR, origin, carrier, flights, cancelled, dep_delay_minutes, miles FROM read_parquet(?)",
        [result["file"]],
    ).fetchall()
    assert {row[:3]: row[3:] for row in rolled_up} == {
        key: (count[key], cancelled[key], delay[key], miles[key]) for key in count
    }
    assert (result["flights"], result["rows"]) == (ROWS, len(count))
    assert (result["cancelled"], result["miles"]) == (cancelled.total(), miles.total())
    months = duckdb.execute("SELECT DISTINCT month(date) FROM read_parquet(?)", [result["file"]]).fetchall()
    assert len(months) == 12


def test_the_demo_shows_the_roll_up(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("finished") == 5
    assert f"'flights': {ROWS}" in shown.stdout
    assert "2013-01-01" in shown.stdout
