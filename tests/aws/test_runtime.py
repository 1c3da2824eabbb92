from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.service import exists, until
from tests.aws.runtime import Function, FunctionError

HANDLERS = """
import os, sys, time

print("imported")

def echo(event, context):
    return {"event": event, "pid": os.getpid()}

def about(event, context):
    return {
        "request": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
    }

def fail(event, context):
    raise LookupError("no such " + event)

def die_of(event, context):
    if event is not None:
        os._exit(event)
    return os.getpid()

def hang_on(event, context):
    if event:
        print("hangs", flush=True)
        time.sleep(600)
    return os.getpid()

def load(event, context):
    __import__(event)
    return sys.modules[event].__file__
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "handlers.py").write_text(HANDLERS)
    (folder / "needy.py").write_text("import boto3\n")
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "own.py").write_text("")
    return folder


def test_it_returns_what_the_handler_returned_from_one_process_call_after_call(bundle: Path) -> None:
    with Function(bundle, "handlers.echo", {}) as function:
        answers = [function.invoke(event) for event in ({"ä": [1, None]}, "two", 3)]
        started = time.monotonic()
        for number in range(100):
            assert function.invoke(number)["event"] == number
        took = time.monotonic() - started

    assert [answer["event"] for answer in answers] == [{"ä": [1, None]}, "two", 3]
    assert len({answer["pid"] for answer in answers}) == 1
    assert took < 2, "each of 100 calls waits for the kernel"
    assert not exists(answers[0]["pid"])


def test_the_handler_is_told_the_call_and_sees_the_given_environment_only(bundle: Path) -> None:
    with Function(bundle, "handlers.about", {"ACUSE_STORE": "x"}, timeout=9) as function:
        one, other = function.invoke({}), function.invoke({})

    assert one["request"] != other["request"]
    assert one["arn"].startswith("arn:aws:lambda:")
    assert 8000 < one["left"] <= 9000
    assert one["environment"]["ACUSE_STORE"] == "x"
    assert "PYTEST_CURRENT_TEST" not in one["environment"]


def test_what_the_handler_raised_is_raised_and_the_process_goes_on(bundle: Path) -> None:
    with Function(bundle, "handlers.fail", {}) as function:
        for thing in ("thing", "other"):
            with pytest.raises(FunctionError) as raised:
                function.invoke(thing)
            assert (raised.value.error_type, raised.value.message) == ("LookupError", f"no such {thing}")
            assert "handlers.py" in raised.value.trace
        assert function.log.count("imported") == 1


def test_a_process_that_died_is_told_and_another_takes_the_next_call(bundle: Path) -> None:
    with Function(bundle, "handlers.die_of", {}) as function:
        first = function.invoke(None)
        with pytest.raises(FunctionError, match="the process ended with 3") as raised:
            function.invoke(3)
        second = function.invoke(None)

    assert raised.value.error_type == "Runtime.ExitError"
    assert first != second


def test_a_process_that_died_between_two_calls_is_replaced(bundle: Path) -> None:
    with Function(bundle, "handlers.die_of", {}) as function:
        first = function.invoke(None)
        os.kill(first, signal.SIGKILL)
        assert function._process is not None
        until(function._process.ended.is_set, "the death")

        assert function.invoke(None) != first


def test_a_call_that_takes_too_long_ends_its_process(bundle: Path) -> None:
    with Function(bundle, "handlers.hang_on", {}, timeout=0.5) as function:
        first = function.invoke(False)
        with pytest.raises(FunctionError) as raised:
            function.invoke(True)
        assert raised.value.error_type == "Timeout"
        assert "hangs" in function.log
        assert not exists(first)
        assert function.invoke(False) != first


@pytest.mark.parametrize(
    ("handler", "error_type"),
    [
        ("missing.handler", "Runtime.ImportModuleError"),
        ("needy.handler", "Runtime.ImportModuleError"),
        ("handlers.missing", "Runtime.HandlerNotFound"),
        ("broken.handler", "ZeroDivisionError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_fails_every_call(bundle: Path, handler: str, error_type: str) -> None:
    with Function(bundle, handler, {}) as function:
        for _ in range(2):
            with pytest.raises(FunctionError) as raised:
                function.invoke({})
            assert raised.value.error_type == error_type


def test_the_bundle_the_standard_library_and_the_client_are_all_that_can_be_imported(bundle: Path) -> None:
    with Function(bundle, "handlers.load", {}) as function:
        assert function.invoke("own") == str(bundle / "own.py")
        assert function.invoke("sqlite3")
        assert function.invoke("awslambdaric")
        for name in ("acuse", "boto3", "botocore", "pytest", "tests", "pip"):
            with pytest.raises(FunctionError, match=f"No module named '{name}'"):
                function.invoke(name)


def test_a_hanging_call_dies_with_the_tests(bundle: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from tests.aws.runtime import Function\n"
        f"with Function(pathlib.Path({str(bundle)!r}), 'handlers.hang_on', {{}}) as function:\n"
        "    print(function.invoke(False), flush=True); function.invoke(True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert exists(pid)
        tests.kill()
    until(lambda: not exists(pid), "the end of the hanging call")
