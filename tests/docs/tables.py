"""The tables of the proposal, in both languages, from the cost model: `python -m tests.docs.tables` writes them."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from infra.costs.assumptions import Assumptions
from infra.costs.bill import MILLION, Side
from infra.costs.containers import worker_hours
from infra.costs.crossing import crossings
from infra.costs.prices import Item
from infra.costs.profiles import Terms
from infra.costs.store import GB
from infra.costs.workload import HOURS, SECONDS, Workload
from infra.deployment import Profile

from infra.costs import prices, store
from tests.docs.words import ITEMS, SIDES, SPANISH

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
REGION, OTHER_REGION = "eu-west-1", "us-east-1"
RATES = (0.1, 1, 10, 100, 1_000)
RUNS = (0.1, 1, 10, 60)
SIZES = (700, 4_000, 20_000, 100_000)
NEEDS = (10, 1_000, 100_000)
BULK = 100
PARTITION = 1_000
"""Writes a second of a partition (DynamoDB quotas)."""
PER_CONCURRENCY = 10
"""Calls a second that Lambda lets through for each unit of concurrency (Lambda quotas)."""
DAY = 86_400
GROUPED = 10_000
"""From here on, Spanish sets apart the thousands."""
WHOLE = 100
"""From here on, decimals tell nothing."""
MARK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Language(StrEnum):
    """Of a document."""

    ENGLISH = "en"
    SPANISH = "es"

    @property
    def file(self) -> Path:
        """The document in this language."""
        name = "infrastructure.md" if self is Language.ENGLISH else "infraestructura.md"
        return ROOT / "docs/explanation" / name

    def say(self, text: str) -> str:
        """The text, which is English, in this language."""
        return text if self is Language.ENGLISH else SPANISH[text]

    def number(self, value: float, decimals: int = 0) -> str:
        """The number as it is written in this language."""
        text = f"{value:,.{decimals}f}"
        if self is Language.ENGLISH:
            return text
        whole, _, rest = text.partition(".")
        return whole.replace(",", "\u00a0" if value >= GROUPED else "") + (f",{rest}" if rest else "")

    def amount(self, value: float, digits: int = 2) -> str:
        """The number with as many digits as tell something: below 1, so many that are not zero."""
        if value >= WHOLE:
            return self.number(value)
        return self.number(value, 2 if value >= 1 else max(2, len(f"{value:.{digits}g}".partition(".")[2])))

    def size(self, value: float) -> str:
        """A number that somebody chose: 0.1, 1, 10."""
        return self.number(value, 0 if value >= 1 else 1)


@cache
def terms(region: str = REGION) -> Terms:
    """The assumptions as they are by default, and the prices of the region."""
    return Terms(Assumptions(), prices.read().region(region))


@cache
def without_spot() -> Terms:
    """The same with workers that nobody takes back."""
    return Terms(msgspec.structs.replace(terms().assumptions, spot_share=0.0), terms().prices)


@cache
def tables(language: Language) -> dict[str, str]:
    """All tables, by name, in Markdown."""
    return {
        "volumes": _volumes(language),
        "sides": _sides(language),
        "sizes": _sizes(language),
        "runs": _runs(language),
        "needs": _needs(language),
        "prices": _prices(language),
    }


def filled(text: str, language: Language) -> str:
    """The text with the tables as they must be."""
    made = tables(language)
    return MARK.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


def _table(language: Language, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    said = [language.say(head) for head in heads]
    lines = [said, ["---"] + ["---:"] * (len(said) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _volumes(language: Language) -> str:
    monthly = ("`lambda`: USD a month", "USD a million", "`fargate`: USD a month", "USD a million")
    heads = ("requests a second", "requests a month", *monthly)
    rows = []
    for rate in RATES:
        workload = Workload(requests_per_second=rate)
        bills = [terms().bill(profile, workload) for profile in Profile]
        figures = [language.amount(usd) for bill in bills for usd in (bill.total, bill.per_million)]
        rows.append([language.size(rate), language.number(round(workload.requests, -3)), *figures])
    return _table(language, heads, rows)


def _runs(language: Language) -> str:
    a_million = ("`lambda`: USD a million", "`fargate`: USD a million", "the same without Spot")
    cheaper = ("`fargate` is cheaper from, requests a second", "without Spot, from")
    heads = ("seconds of a run", *a_million, *cheaper)
    rows = []
    for run in RUNS:
        workload = Workload(run_seconds=run)
        priced = [terms().bill(profile, workload).per_million for profile in Profile]
        priced.append(without_spot().bill(Profile.FARGATE, workload).per_million)
        places = [
            language.amount(at) if at else "-" for at in (_cheaper_from(workload, spot) for spot in (True, False))
        ]
        rows.append([language.size(run), *map(language.amount, priced), *places])
    return _table(language, heads, rows)


def _cheaper_from(workload: Workload, spot: bool) -> float | None:  # noqa: FBT001
    found = crossings(workload, terms() if spot else without_spot())
    return next(one.at for one in found if one.what == "everything")


def _sides(language: Language) -> str:
    heads = ("USD a million requests, at 10 a second", "`lambda`", "`fargate`")
    bills = [terms().bill(profile, Workload()) for profile in Profile]
    rows = [
        [language.say(SIDES[side]), *(language.amount(bill.of(side) / bill.requests * MILLION) for bill in bills)]
        for side in Side
    ]
    total = [f"**{language.say('together')}**", *(f"**{language.amount(bill.per_million)}**" for bill in bills)]
    return _table(language, heads, [*rows, total])


def _sizes(language: Language) -> str:
    heads = ("bytes of the request", "write units", "read units", "USD a million, on demand", "GB for a million")
    rows = []
    for size in SIZES:
        workload = Workload(item_bytes=size)
        units = store.traffic(workload, 1)
        usd = (
            units.writes * terms().prices[Item.WRITE].first + units.reads * terms().prices[Item.READ].first
        ) * MILLION
        kept = store.kept_bytes(workload) * MILLION / GB
        rows.append([language.number(one) for one in (size, units.writes, units.reads)])
        rows[-1] += [language.amount(usd), language.amount(kept)]
    return _table(language, heads, rows)


def _needs(language: Language) -> str:
    columns = [need(rate) for rate in NEEDS]
    heads = ("what is needed", *(f"{rate:,}/s" for rate in NEEDS))
    rows = [[language.say(name), *(_counted(language, column[name]) for column in columns)] for name in columns[0]]
    return _table(language, heads, rows)


def _counted(language: Language, value: float) -> str:
    return language.number(value, 0 if isinstance(value, int) or value >= WHOLE else 1)


def need(rate: float) -> dict[str, float]:
    """What that many requests a second need. Things are whole; what happens a second need not be."""
    single = Workload(requests_per_second=rate)
    short = msgspec.structs.replace(single, run_seconds=0.1)
    bulk = msgspec.structs.replace(short, bulk=BULK)
    assumed, month = terms().assumptions, store.monthly(single, 1)
    writes, changes = month.writes / SECONDS, month.changes / SECONDS
    posts, batches = single.calls / SECONDS, bulk.calls / SECONDS
    logs = next(line.quantity for line in terms().bill(Profile.LAMBDA, single).lines if line.item is Item.LOGS)
    of_bulk = assumed.api_seconds + (BULK - 1) * assumed.api_item_seconds
    return {
        "POSTs a second, one request each": posts,
        "`api` functions at once": ceil(posts * assumed.api_seconds),
        "concurrency that so many POSTs need": ceil(posts / PER_CONCURRENCY),
        "POSTs a second, 100 requests each": batches,
        "`api` functions at once, 100 requests each": ceil(batches * of_bulk),
        "`api` tasks in containers": ceil(max(assumed.api_tasks, posts / assumed.api_task_rate)),
        "write units a second": writes,
        "partitions, and shards of the stream": ceil(max(assumed.stream_shards, writes / PARTITION)),
        "relay calls a second, in full batches": changes / assumed.relay_batch,
        "`worker` functions at once, runs of 0.1 s": ceil(_at_once(short)),
        "`worker` functions at once, runs of 1 s": ceil(_at_once(single)),
        "worker tasks, runs of 1 s": ceil(worker_hours(single, assumed) / HOURS),
        "GB of records a day": rate * DAY * store.kept_bytes(single) / GB,
        "GB of logs a day": logs / HOURS * 24,
        "`lambda`: USD a month, runs of 1 s": terms().bill(Profile.LAMBDA, single).total,
        "`fargate`: USD a month, runs of 1 s": terms().bill(Profile.FARGATE, single).total,
        "`fargate`: USD a month, runs of 0.1 s, 100 requests each": terms().bill(Profile.FARGATE, bulk).total,
    }


def ceil(value: float) -> int:
    """The next whole number, whatever the last digits of a float say."""
    return math.ceil(round(value, 6))


def _at_once(workload: Workload) -> float:
    return (workload.seconds_run + workload.messages * terms().assumptions.worker_seconds) / SECONDS


def _prices(language: Language) -> str:
    heads = ("price", "Ireland", "N. Virginia", "USD for", "known from", "read")
    here, there = terms().prices, terms(OTHER_REGION).prices
    rows = []
    for item in Item:
        scale, unit = (MILLION, "a million GB-seconds") if item is Item.LAMBDA_TIME else (here[item].per, "")
        unit = unit or (here[item].unit if here[item].per == 1 else f"a million {here[item].unit}s")
        shown = [language.amount(one[item].first * scale, 4) for one in (here, there)]
        basis = language.say(here[item].basis)
        rows.append([language.say(ITEMS[item]), *shown, language.say(unit), basis, here[item].date.isoformat()])
    return _table(language, heads, rows)


if __name__ == "__main__":
    for one in Language:
        one.file.write_text(filled(one.file.read_text("utf-8"), one), "utf-8")
