from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from infra.costs.prices import Basis, Item
from infra.costs.workload import Unfit

from infra.costs import prices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REGIONS = prices.read().regions
EVERY = [(region, item) for region in REGIONS for item in Item]


@pytest.mark.parametrize(("region", "item"), EVERY)
def test_every_price_says_where_it_was_read_and_when(region: str, item: Item) -> None:
    price = REGIONS[region][item]

    assert price.source
    assert 2025 <= price.date.year <= 2026


@pytest.mark.parametrize(("region", "item"), EVERY)
def test_a_price_without_a_source_counts_as_unsourced_and_no_other_does(region: str, item: Item) -> None:
    price = REGIONS[region][item]

    assert price.basis.is_sourced == ("none found" not in price.source)


def test_spain_has_no_prices_because_none_was_found() -> None:
    with pytest.raises(Unfit, match="no prices for region eu-south-2; there are: eu-west-1, us-east-1"):
        prices.read().region("eu-south-2")


@pytest.mark.parametrize(
    ("quantity", "usd"),
    [(0, 0), (1e6, 1.11), (300e6, 333.0), (301e6, 334.0), (1_300e6, 333.0 + 1_000.0)],
)
def test_the_http_api_is_cheaper_from_the_three_hundred_millionth_request_on(quantity: float, usd: float) -> None:
    assert REGIONS["eu-west-1"][Item.HTTP_API].cost(quantity) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("quantity", "usd"),
    [
        (7.5e9, 7.5e9 * 0.0000133334),
        (7.5e9 + 1e6, 7.5e9 * 0.0000133334 + 1e6 * 0.0000120001),
        (20e9, 7.5e9 * 0.0000133334 + 11.25e9 * 0.0000120001 + 1.25e9 * 0.0000106667),
    ],
)
def test_the_time_of_functions_on_arm_has_three_tiers(quantity: float, usd: float) -> None:
    assert REGIONS["us-east-1"][Item.LAMBDA_TIME].cost(quantity) == pytest.approx(usd)


def _change(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["regions"]["eu-west-1"]["alb_hour"].update(fields)


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["regions"]["eu-west-1"]["alb_hour"].pop(name)


def _no_region(content: dict[str, Any]) -> None:
    content["regions"]["eu-west-1"].pop("alb_hour")


def _unknown_item(content: dict[str, Any]) -> None:
    content["regions"]["eu-west-1"]["alb_minute"] = content["regions"]["eu-west-1"]["alb_hour"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_no_region, "eu-west-1: no price for alb_hour"),
        (_unknown_item, "Invalid enum value 'alb_minute'"),
        (_change(colour="red"), "unknown field `colour`"),
        (_change(tiers=[]), "length >= 1"),
        (_change(tiers=[{"usd": 0}]), "> 0"),
        (_change(tiers=[{"usd": "0.1"}]), "Expected `float`, got `str`"),
        (_change(tiers=[{"usd": 1, "up_to": 5}]), "the last has no end"),
        (_change(tiers=[{"usd": 1}, {"usd": 2}]), "ends higher than the one before"),
        (
            _change(tiers=[{"usd": 1, "up_to": 5}, {"usd": 1, "up_to": 4}, {"usd": 2}]),
            "ends higher than the one before",
        ),
        (_change(per=0), ">= 1"),
        (_change(source=""), "length >= 1"),
        (_change(date="yesterday"), "RFC3339"),
        (_change(basis="guess"), "Invalid enum value 'guess'"),
        (_without("source"), "missing required field `source`"),
        (_without("date"), "missing required field `date`"),
    ],
)
def test_a_file_of_prices_with_a_fault_is_refused_with_the_place(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], said: str
) -> None:
    content = json.loads(prices.FILE.read_bytes())
    spoil(content)
    file = tmp_path / "spoilt.json"
    file.write_text(json.dumps(content))

    with pytest.raises(Unfit) as refused:
        prices.read(file)

    assert said in str(refused.value)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"note": "no regions"}'])
def test_a_file_that_is_no_file_of_prices_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)

    with pytest.raises(Unfit, match=r"prices\.json"):
        prices.read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="No such file"):
        prices.read(tmp_path / "none.json")


def test_only_what_somebody_saw_for_the_region_is_sourced() -> None:
    assert {basis for basis in Basis if basis.is_sourced} == {Basis.LIST, Basis.BILL}
