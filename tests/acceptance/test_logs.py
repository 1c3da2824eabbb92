"""The log of the whole service, as what collects logs reads it."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests import talking_actions
from tests.acceptance.service import Running, until
from tests.requests import new_id
from tests.talking_actions import FORGED

ROOT = Path(__file__).parents[2]
ACTIONS = Path(talking_actions.__file__)
TEXT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) \d+ [\w.]+: .+")
Line = dict[str, Any]


def trace(number: int) -> str:
    return f"{number:032x}"


class Talk:
    """A service that was asked to run talking actions, each in a trace of its own, until all had ended."""

    def __init__(self, folder: Path, *asked: dict[str, Any], **environment: str) -> None:
        with Running(folder / "data", "--workers", 1, actions=ACTIONS, **environment) as service:
            self.ids: list[str] = []
            for number, members in enumerate(asked, 1):
                headers = {"traceparent": f"00-{trace(number)}-{'1' * 16}-00"}
                sent = {"id": new_id(), **members}
                assert service.client.post(service.url, json=sent, headers=headers).status_code == 201
                self.ids.append(sent["id"])
                service.ended(sent)
            self.pid = service.process.pid
            self.worker = service.pids("worker")[0]
            self.log = service.log
            service.kill("worker")
            until(lambda: "process ended" in self.text(), "a word about the worker")
            service.process.send_signal(signal.SIGTERM)
            service.process.wait()

    def text(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[Line]:
        """Every line is an object."""
        return [msgspec.json.decode(line, type=Line) for line in self.text().splitlines()]

    def about(self, number: int) -> list[Line]:
        """Of the request that was asked for as the first, the second, …"""
        return [line for line in self.lines() if line.get("request_id") == self.ids[number - 1]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Talk:
    hows = ("says", "starts a thread", "leaves a thread to its error", "warns", "mistakes", "raises", "refuses")
    asked = [{"action": "talks", "how": how} for how in (*hows, "postpones", "")]
    return Talk(
        tmp_path_factory.mktemp("talk"), *asked, {"action": "sums"}, {"action": "delay", "seconds": 0},
        ACUSE_LOG_FORMAT="json",
    )  # fmt: skip


def test_every_line_is_an_object_that_says_when_how_grave_what_and_where(told: Talk) -> None:
    lines = told.lines()

    for line in lines:
        assert {"timestamp", "level", "event", "logger", "process"} <= set(line)
        assert line["timestamp"].endswith("Z")
        age = datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])
        assert 0 <= age.total_seconds() < 600
        assert line["level"] in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    assert {line["process"] for line in lines} >= {told.pid, told.worker}
    assert not any(line["event"] == "forged" for line in lines)


def test_every_line_about_a_request_has_its_trace_and_no_other_line_has_one(told: Talk) -> None:
    for line in told.lines():
        if "request_id" in line:
            assert line["trace_id"] == trace(1 + told.ids.index(line["request_id"]))
        else:
            assert "trace_id" not in line
            assert "part" not in line


def test_what_an_action_logs_has_its_request_and_cannot_stand_in_for_anything_else(told: Talk) -> None:
    [line] = told.about(1)

    assert line["event"] == FORGED
    assert (line["rows"], line["text"], line["extra_event"]) == (7, FORGED, "forged")
    assert line["logger"] == "talking"
    assert line["process"] not in (told.pid, told.worker)


def test_so_has_what_the_threads_of_a_run_log_and_what_ends_them_and_what_python_warns_of(told: Talk) -> None:
    [[said], [ended], [warned]] = (told.about(number) for number in (2, 3, 4))

    assert said["event"] == "from a thread"
    assert (ended["level"], ended["event"]) == ("ERROR", "thread ended by an error")
    assert "ValueError: invalid literal" in ended["exception"]
    assert (warned["level"], warned["logger"]) == ("WARNING", "py.warnings")


def test_what_cannot_be_logged_as_it_was_meant_is_logged_as_it_can_be(told: Talk) -> None:
    [line] = told.about(5)

    assert line["event"] == "%d rows ['seven']"
    assert line["self"] == "Talks(how='mistakes')"
    assert (line["bytes"], line["not a number"]) == (r"b'\x00\xff'", "nan")


def test_an_action_that_raises_is_told_with_its_traceback_each_time_and_its_request_once(told: Talk) -> None:
    raised, again, raised_again, failed = told.about(6)

    for line in (raised, raised_again):
        assert (line["level"], line["event"]) == ("WARNING", "run raised")
        assert line["exception"].startswith("Traceback (most recent call last):\n")
        assert line["exception"].endswith(f"ValueError: {FORGED}")
    assert (again["level"], again["event"], again["reason"]) == ("INFO", "attempt failed", "raised")
    assert (again["attempt"], failed["attempt"]) == (1, 2)
    assert (failed["level"], failed["event"], failed["reason"]) == ("WARNING", "request failed", "raised")
    assert (failed["action"], failed["process"]) == ("talks", told.worker)


def test_what_an_action_says_of_its_failure_stays_in_the_record(told: Talk) -> None:
    assert [line["reason"] for line in told.about(7)] == ["refused"]
    assert [line["reason"] for line in told.about(8)] == ["retry", "retries-exhausted"]
    assert "secret" not in told.text()


def test_a_part_is_named_in_its_lines_and_the_request_has_one_of_its_own(told: Talk) -> None:
    parts = [line for line in told.about(10) if "part" in line]
    [whole] = [line for line in told.about(10) if "part" not in line]

    assert sorted((line["event"], line["part"]) for line in parts) == [("a part", 1), ("a part", 2), ("part failed", 2)]
    assert (whole["level"], whole["event"], whole["reason"]) == ("WARNING", "request failed", "parts-failed")


def test_what_ends_in_time_has_no_line(told: Talk) -> None:
    assert told.about(9) == told.about(11) == []


def test_the_lines_of_the_http_server_are_objects_too(told: Talk) -> None:
    [started, *_] = [line for line in told.lines() if line["event"].startswith("Started server process")]

    assert started["logger"] == "uvicorn.error"
    assert "color_message" not in started


def test_what_ends_a_process_is_told_in_one_line(told: Talk) -> None:
    [ended] = [line for line in told.lines() if line["event"] == "process ended"]

    assert (ended["process_name"], ended["code"], ended["process"]) == ("worker-1", -9, told.pid)


def test_text_is_as_it_was_with_the_request_in_it_and_at_debug_the_detail_of_a_failure(tmp_path: Path) -> None:
    asked = [{"action": "talks", "how": how} for how in ("starts a thread", "refuses")]
    talk = Talk(tmp_path, *asked, ACUSE_LOG_LEVEL="DEBUG")
    lines = talk.text().splitlines()

    assert all(TEXT.fullmatch(line) for line in lines)
    [said, failed] = [line.split(": ", 1)[1] for line in lines if "request_id" in line]
    assert said == f"from a thread request_id={talk.ids[0]} trace_id={trace(1)}"
    assert failed == (
        f"request failed request_id={talk.ids[1]} trace_id={trace(2)} action=talks attempt=1 reason=refused"
        " detail=secret of a client"
    )


def test_a_line_in_the_docs_is_one_of_these(told: Talk) -> None:
    [sample] = re.findall(r"```json\n(.*)\n```", (ROOT / "docs/how-to/monitor.md").read_text())
    *_, failed = told.about(6)

    shown = msgspec.json.decode(sample, type=Line)
    assert list(shown) == list(failed)
    assert [shown[name] for name in ("event", "level", "logger")] == [
        failed[name] for name in ("event", "level", "logger")
    ]
