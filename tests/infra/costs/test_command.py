from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from infra.costs.__main__ import main
from infra.costs.assumptions import Assumptions
from infra.costs.fields import described
from infra.costs.workload import Workload

ROOT = Path(__file__).parents[3]
PNG = b"\x89PNG\r\n\x1a\n"


def _size(file: Path) -> tuple[int, int]:
    """Width and height of the PNG."""
    head = file.read_bytes()[:24]
    assert head.startswith(PNG)
    width, height = struct.unpack(">II", head[16:])
    return width, height


def test_the_command_prints_the_tables_and_draws_the_picture(tmp_path: Path) -> None:
    file = tmp_path / "new" / "costs.png"

    done = subprocess.run(
        [sys.executable, "-m", "infra.costs", "--png", file], cwd=ROOT, capture_output=True, text=True, check=True
    )

    for said in (
        "USD a month in eu-west-1, at 10 requests/s",
        "profile lambda",
        "profile fargate",
        "By requests a second",
        "100,000",
        "lambda below 5.07 requests/s, fargate above",
        "on-demand below 0.29 of what is provisioned, provisioned above",
        "watch: dashboards *",
        "* rests on a price that has no source for eu-west-1: dashboard_month, key_month.",
        "AWS Price List, AmazonDynamoDB 20260911124422",
        "2026-09-11",
        "Not counted: free tiers",
    ):
        assert said in done.stdout
    width, height = _size(file)
    assert (width, height) == (1_650, 616)
    assert 20_000 < file.stat().st_size < 200_000


@pytest.mark.parametrize(
    "arguments",
    [
        ["--run-seconds", "3600"],  # for containers only
        ["--region", "us-east-1", "--capacity", "provisioned", "--parts", "100"],
        ["--requests-per-month", "1", "--assume", "worker_tasks=1000000"],  # no crossing
    ],
)
def test_every_kind_of_workload_has_its_tables_and_its_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    file = tmp_path / "costs.png"

    main([*arguments, "--png", str(file)])

    assert "profile fargate" in capsys.readouterr().out
    assert _size(file)[0] > 1_000


def test_a_profile_that_cannot_do_it_is_named_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--run-seconds", "3600", "--no-png"])

    printed = capsys.readouterr().out
    assert "No bill for profile lambda: a run of 3600 s: a function leaves a run 887 s at most." in printed
    assert "profile lambda\n" not in printed


def test_the_lines_add_up_to_the_total_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--no-png", "--requests-per-month", "1000000", "--assume", "metrics=3"])

    found = json.loads(capsys.readouterr().out)
    assert found["workload"]["requests_per_second"] * 730 * 3_600 == pytest.approx(1e6)
    assert found["assumptions"]["metrics"] == 3
    assert found["unsourced"] == ["dashboard_month", "key_month"]
    assert {bill["profile"] for bill in found["bills"]} == {"lambda", "fargate"}
    for bill in found["bills"]:
        total = next(
            one["usd_a_month"]
            for one in found["totals"]
            if one["profile"] == bill["profile"] and one["requests_per_second"] < 1
        )
        assert sum(line["usd"] for line in bill["lines"]) == pytest.approx(total)


def test_what_is_asked_for_by_an_option_is_what_is_calculated(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--no-png", "--parts", "7", "--purge", "--capacity", "provisioned", "--utilisation", "0.25"])

    load = json.loads(capsys.readouterr().out)["workload"]
    assert (load["parts"], load["purge"], load["capacity"], load["utilisation"]) == (7, True, "provisioned", 0.25)


def test_every_field_says_what_it_is() -> None:
    assert all(text for _, _, text in (*described(Workload()), *described(Assumptions())))


def test_the_help_names_every_option_and_assumption(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"--{name.replace('_', '-')}" in printed for name in Workload.__struct_fields__)
    assert all(f"{name}=" in printed for name in Assumptions.__struct_fields__)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--region", "eu-south-2"], "no prices for region eu-south-2; there are: eu-west-1, us-east-1"),
        (["--requests-per-second", "0"], "requests_per_second"),
        (["--requests-per-second", "nan"], "requests_per_second"),
        (["--requests-per-second", "200000"], "<= 100000.0"),
        (["--requests-per-second", "many"], "invalid float value: 'many'"),
        (["--requests-per-second", "1", "--requests-per-month", "1"], "not allowed with"),
        (["--item-bytes", "500000"], "<= 409600"),
        (["--capacity", "plenty"], "choose from"),
        (["--assume", "api_mb"], "--assume api_mb: give NAME=VALUE"),
        (["--assume", "api_size=3"], "unknown field `api_size`"),
        (["--assume", "api_mb=much"], "Expected `int`, got `str` - at `$.api_mb`"),
        (["--assume", "busy_share=0"], "busy_share"),
        (["--prices", "nowhere.json"], "nowhere.json"),
        (["--png", f"{__file__}/costs.png"], f"{__file__}/costs.png"),
    ],
)
def test_what_cannot_be_calculated_ends_with_code_2_and_the_reason(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments if "--png" in arguments else [*arguments, "--no-png"])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err
