"""The proposal says what the cost model says, the same in both languages, and each claim has its source."""

from __future__ import annotations

import math
import re
import typing
from collections import Counter
from itertools import groupby

import msgspec
import pytest
from infra.costs.bill import MILLION, Side
from infra.costs.crossing import crossings
from infra.costs.functions import LONGEST
from infra.costs.prices import Item
from infra.costs.workload import HOURS, Workload
from infra.deployment import LAMBDA_SECONDS, Containers, Deployment, Intake, Table, Worker
from infra.deployment import Profile as Chosen
from infra.processing import RELAY_AGE, RELAY_ATTEMPTS, RELAY_SHARE
from infra.service import OWN_MEMORY

from tests.docs.tables import (
    BULK,
    MARK,
    OTHER_REGION,
    PARTITION,
    Language,
    filled,
    need,
    tables,
    terms,
    without_spot,
)
from tests.infra.fargate import INSIDE
from tests.infra.stacks import stacks

TEXTS = {language: language.file.read_text("utf-8") for language in Language}
ENGLISH = TEXTS[Language.ENGLISH]
WORDS = re.sub(r"\s+", " ", ENGLISH)
EITHER = pytest.mark.parametrize("language", Language)
NUMBER = {
    Language.ENGLISH: re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?"),
    Language.SPANISH: re.compile(r"\d+(?:\xa0\d{3})*(?:,\d+)?"),
}
SECTIONS = {"intake": Intake, "table": Table, "worker": Worker, "containers": Containers}
NOT_CHOSEN = (3.50, 5.00, 25, 8, 0.40, 0.12, 0.12 * HOURS / 2)
"""REST API, S3, Step Functions, durable functions, Pipes, an ACU-hour, and half an ACU for a month."""
MB = 1_024


def plain(value: str, language: Language) -> float:
    if language is Language.SPANISH:
        return float(value.replace("\xa0", "").replace(",", "."))
    return float(value.replace(",", ""))


def figures(text: str, language: Language) -> Counter[float]:
    return Counter(
        plain(one, language) for one in NUMBER[language].findall(re.sub(r"https?://\S+|`[^`\n]+`", "", text))
    )


def shapes(text: str) -> list[list[int]]:
    """Of each table, the number of cells of each row."""
    rows = [line.count("|") if line.startswith("|") else 0 for line in text.splitlines()]
    return [list(group) for is_table, group in groupby(rows, bool) if is_table]


def usd(profile: Chosen, rate: float, **changed: float) -> float:
    return terms().bill(profile, msgspec.structs.replace(Workload(requests_per_second=rate), **changed)).total


def explained() -> list[float]:
    """Every USD that the text may name beside its tables."""
    here, there, assumed = terms().prices, terms(OTHER_REGION).prices, terms().assumptions
    unit = {item: price.first * MILLION for item, price in here.items()}
    listed = [tier.usd for prices in (here, there) for price in prices.values() for tier in price.tiers]
    api = unit[Item.LAMBDA_REQUEST] + assumed.api_seconds * assumed.api_mb / MB * unit[Item.LAMBDA_TIME]
    of_bulk = (assumed.api_seconds + (BULK - 1) * assumed.api_item_seconds) * assumed.api_mb / MB
    bulk = (unit[Item.HTTP_API] + unit[Item.LAMBDA_REQUEST] + of_bulk * unit[Item.LAMBDA_TIME]) / BULK
    relay = unit[Item.LAMBDA_REQUEST] + assumed.relay_seconds * assumed.relay_mb / MB * unit[Item.LAMBDA_TIME]
    taken = 2 * unit[Item.SQS]
    task = [
        (here[vcpu].first + assumed.worker_task_gb * here[memory].first)
        / 3_600
        / (assumed.runners * assumed.busy_share)
        * MILLION
        for vcpu, memory in ((Item.SPOT_VCPU, Item.SPOT_MEMORY), (Item.VCPU, Item.MEMORY))
    ]
    idle = {profile: terms().bill(profile, Workload(requests_per_second=0.0001)) for profile in Chosen}
    at_ten = terms().bill(Chosen.LAMBDA, Workload())
    logs = sum(line.usd for line in at_ten.lines if line.item in {Item.LOGS, Item.LOGS_KEPT}) / at_ten.requests
    http = terms().bill(Chosen.LAMBDA, Workload(requests_per_second=100_000))
    kept = float(tables(Language.ENGLISH)["sizes"].splitlines()[2].split("|")[5])
    return [
        *NOT_CHOSEN,
        *listed,
        *(api, unit[Item.HTTP_API] + api, bulk, 2 * relay, taken + unit[Item.SQS] / 10, taken + unit[Item.SQS]),
        *(2 * unit[Item.WRITE] + unit[Item.READ], unit[Item.WRITE_CAPACITY] / 3_600),
        *(unit[Item.LAMBDA_REQUEST] + unit[Item.LAMBDA_TIME], *task),
        assumed.spot_share * task[0] + (1 - assumed.spot_share) * task[1],
        *(kept * (here[Item.STORAGE].first + here[Item.BACKUP].first), MB * MILLION / 2**30 * here[Item.LOGS].first),
        *(bill.total for bill in idle.values()),
        *(bill.of(Side.WATCH) for bill in idle.values()),
        assumed.container_metrics * here[Item.METRIC].first,
        logs * MILLION,
        idle[Chosen.FARGATE].of(Side.INTAKE, Side.NETWORK),
        *(usd(profile, rate) for profile in Chosen for rate in (0.1, 10, 1_000, 100_000)),
        usd(Chosen.FARGATE, 100_000, bulk=BULK, run_seconds=0.1),
        usd(Chosen.LAMBDA, 100) / Workload(requests_per_second=100).requests * 100 * 1_800,
        next(line.usd for line in http.lines if line.item is Item.LOGS),
        next(line.usd for line in http.lines if line.item is Item.HTTP_API) / http.requests * MILLION,
    ]


@EITHER
def test_the_tables_are_those_of_the_cost_model(language: Language) -> None:
    """`python -m tests.docs.tables` writes them; the figures in the text are written by hand."""
    assert TEXTS[language] == filled(TEXTS[language], language)
    assert [found[2] for found in MARK.finditer(TEXTS[language])] == list(tables(language))


def test_both_languages_have_the_same_sections() -> None:
    english, spanish = (re.findall(r"^(#+ (?:\d+\.)?)", text, re.MULTILINE) for text in TEXTS.values())

    assert english == spanish
    assert len(english) > 10


def test_both_languages_have_the_same_figures_section_by_section() -> None:
    english, spanish = (re.split(r"^## .*$", text, flags=re.MULTILINE) for text in TEXTS.values())

    for one, other in zip(english, spanish, strict=True):
        assert figures(one, Language.ENGLISH) == figures(other, Language.SPANISH)


def test_both_languages_have_tables_of_the_same_shape() -> None:
    english, spanish = (shapes(text) for text in TEXTS.values())

    assert english == spanish
    assert all(len(set(table)) == 1 for table in english)


def test_both_languages_draw_the_same_picture_and_name_the_same_things_of_the_code() -> None:
    arrows, code = [], []
    for text in TEXTS.values():
        [picture] = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
        arrows.append([re.sub(r"[\[\](|{].*?[\])|}]+", "", line) for line in picture.splitlines() if "--" in line])
        code.append(Counter(re.findall(r"`([^`\n]+)`", text)))

    assert arrows[0] == arrows[1]
    assert code[0] == code[1]


@EITHER
def test_every_source_that_is_cited_is_in_the_list_and_every_one_in_the_list_is_cited(language: Language) -> None:
    text, sources = TEXTS[language].split("\n- [1] ")
    listed = ["1", *re.findall(r"^- \[(\d+)\]", sources, re.MULTILINE)]
    addresses = re.findall(r"^\[(\d+)\]: https://\S+$", sources, re.MULTILINE)

    assert listed == addresses == [str(number + 1) for number in range(len(listed))]
    assert set(re.findall(r"\[(\d+)\]", text)) == set(listed)


def test_every_amount_in_the_text_is_a_price_or_follows_from_the_model() -> None:
    known, text = explained(), MARK.sub("", ENGLISH)
    amounts = re.findall(r"(\d+(?:,\d{3})*(?:\.\d+)?)(?= USD)|(\d\.\d\d) to", text)

    said = [one or other for one, other in amounts]
    strange = [
        amount for amount in said if not any(f"{value:,.{len(amount.partition('.')[2])}f}" == amount for value in known)
    ]

    assert strange == []
    assert len(said) > 50


def test_what_the_text_works_out_follows_from_the_model() -> None:
    assumed, few, many = terms().assumptions, need(1_000), need(100_000)
    short, long = Workload(run_seconds=0.1), Workload(run_seconds=1)
    cheaper = [crossings(work, priced)[0].at or 0 for priced in (terms(), without_spot()) for work in (short, long)]
    share = next(one.at for one in crossings(long, terms()) if one.what == "table") or 0
    most = typing.get_type_hints(Worker, include_extras=True)["batch"].__metadata__[0].le
    month = many["GB of records a day"] * HOURS / 24

    for said in (
        f"above a mean use of {share:.0%}".replace("%", " %"),
        (
            f"more than {cheaper[0]:.0f} requests a second all day, even with runs of 0.1 s; "
            f"or more than {cheaper[1]:.0f} with"
        ),
        f"from {cheaper[2]:.0f} and {cheaper[3]:.0f} on even without Spot",
        f"runs of up to {math.floor(50 - 10 * assumed.worker_seconds) / 10:.1f} seconds",
        f"The {Worker().concurrency} workers that a stack has by default",
        f"runs over {1_000 / 1_000 - assumed.worker_seconds:.2f} s do not fit",
        f"{few['`worker` functions at once, runs of 0.1 s']} workers for runs of 0.1 s",
        f"{few['`worker` functions at once, runs of 1 s']:,} for runs of 1 s",
        f"{few['worker tasks, runs of 1 s']} tasks for runs of 1 s",
        f"at once after {(1_000 - 5) / 300:.1f} minutes",
        f"{few['write units a second']:,.0f} are needed",
        (
            f"{many['write units a second']:,.0f} writes a second, "
            f"{many['partitions, and shards of the stream']} partitions"
        ),
        (
            f"{many['partitions, and shards of the stream']} shards, "
            f"{many['relay calls a second, in full batches']:,.0f} calls a second"
        ),
        (
            f"a concurrency of {many['concurrency that so many POSTs need']:,}, "
            f"for {many['`api` functions at once']:,} at once"
        ),
        f"with bulk {many['`api` functions at once, 100 requests each']} at once",
        f"or {many['`api` tasks in containers']:,} small tasks",
        f"{many['POSTs a second, one request each']:,.0f} POSTs a second |",
        f"are {many['POSTs a second, 100 requests each']:,.0f} POSTs a second",
        f"takes {RELAY_SHARE} batches of a shard at once",
        f"each may last {RELAY_SHARE * assumed.relay_batch / PARTITION:.1f} s",
        (
            f"{many['`worker` functions at once, runs of 1 s']:,} at once for runs of 1 s; "
            f"{many['`worker` functions at once, runs of 0.1 s']:,} for 0.1 s"
        ),
        f"{many['worker tasks, runs of 1 s']:,} tasks on Fargate",
        f"{many['GB of logs a day']:,.0f} GB a day |",
        f"the {assumed.container_metrics} metrics of Container Insights",
        f"an access line of {assumed.access_bytes} bytes",
        f"what actions write (assumed: {Workload().log_bytes} bytes)",
        f"a run has {Worker().memory - OWN_MEMORY} MB in a function and {Containers().run_memory:,} MB in a task",
        f"after the {Containers().drain} seconds of `containers.drain`",
        f"given up after {RELAY_ATTEMPTS} attempts or {RELAY_AGE.to_hours():.0f} hours",
        f"With `fargate` {need(10)['worker tasks, runs of 1 s']} tasks of workers",
        f"ask for {1_000 * assumed.spot_share:.0f} Spot processors and {1_000 * (1 - assumed.spot_share):.0f} others",
        f"{many['GB of records a day']:,.0f} GB a day | three months are {round(3 * month, -3):,.0f} GB",
        f"lets {Intake().rate} requests a second through",
        f"up to {LAMBDA_SECONDS // 60} minutes",
        f"up to {most} short runs",
    ):
        assert said in WORDS

    assert LONGEST < LAMBDA_SECONDS


def test_the_alarms_in_the_text_are_as_many_as_there_are() -> None:
    lambdas, fargate = (len(stacks(one).of_type("AWS::CloudWatch::Alarm")) for one in (Deployment(), INSIDE))

    assert f"{lambdas} alarms with `lambda`, {fargate} with `fargate`" in WORDS


@pytest.mark.parametrize("deployment", [Deployment(), INSIDE], ids=list(Chosen))
def test_the_tag_by_which_costs_are_looked_up_is_on_whatever_can_have_one(deployment: Deployment) -> None:
    made = stacks(deployment)
    tags = [
        one["Properties"]["Tags"]
        for template in (made.service, made.storage)
        for one in template["Resources"].values()
        if "Tags" in one["Properties"]
    ]

    assert "by the tag `service`" in WORDS
    assert len(tags) > 10
    for pairs in tags:
        assert (
            pairs.get("service") == "acuse"
            if isinstance(pairs, dict)
            else {"Key": "service", "Value": "acuse"} in pairs
        )


def test_every_setting_in_the_text_is_one_of_a_deployment() -> None:
    named = re.findall(r"`(intake|table|worker|containers)\.(\w+)", ENGLISH)

    assert named
    for section, name in named:
        assert name in SECTIONS[section].__struct_fields__
    assert "profile" in Deployment.__struct_fields__
