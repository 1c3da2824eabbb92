"""What ministack 1.5.33 does otherwise than AWS, as far as the service and its stack depend on it, done as AWS does it.

Each fix first sees that there is still something to fix.
"""

# ruff: noqa: S101, SLF001  (it reaches into one pinned version, and says so if that has changed)

from __future__ import annotations

import hashlib
import json
import re
import sys
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

KEY = re.compile(r"""["']id["']\s*[:=]\s*\?""")
STATEMENT = re.compile(
    r'\s*(?:(INSERT)\s+INTO|(UPDATE)|(DELETE)\s+FROM|(SELECT)\b.*?\bFROM)\s+"?([\w.-]+)', re.IGNORECASE | re.DOTALL
)


def fix() -> None:
    """Before it serves."""
    _stream_partiql()
    _authorize_partiql()
    _authorize_by_keys()
    _authorize_batches()
    _trust_loopback()
    _take_alarms_on_expressions()
    _unpack_once()
    _hide_own_packages()


def _stream_partiql() -> None:
    """What PartiQL writes is in the table's stream too."""
    set_item = dynamodb._set_item

    def streamed(table: Any, partition: str, sort: str, item: Any) -> Any:
        old = set_item(table, partition, sort, item)
        dynamodb._emit_stream_event(table["TableName"], "MODIFY" if old else "INSERT", old, item)
        return old

    for name in ("_partiql_insert", "_partiql_update"):
        write = getattr(dynamodb, name)
        assert _uses(write, "_set_item")
        assert not _uses(write, "_emit_stream_event")
        names = {**vars(dynamodb), "_set_item": streamed}
        setattr(dynamodb, name, types.FunctionType(write.__code__, names, name, write.__defaults__))


def _authorize_partiql() -> None:
    """A statement is allowed as PartiQLInsert and so on, on its table, and not as the call that it came with."""
    checks = iam_actions.dynamodb_transaction_checks
    assert "PartiQL" not in repr(checks.__code__.co_consts)

    def checked(action: str, body: bytes, region: str, account: str) -> list[tuple[str, str]]:
        if action == "dynamodb:ExecuteStatement":
            statements = [json.loads(body)]
        elif action == "dynamodb:BatchExecuteStatement":
            statements = json.loads(body)["Statements"]
        else:
            found: list[tuple[str, str]] = checks(action, body, region, account)
            return found
        return [
            (f"dynamodb:PartiQL{verb}", iam_actions._dynamodb_table_arn(table, region, account))
            for verb, table in map(_read, statements)
        ]

    iam_actions.dynamodb_transaction_checks = checked


def _read(statement: dict[str, Any]) -> tuple[str, str]:
    """Insert, Update, Delete or Select, and the table."""
    match = STATEMENT.match(statement["Statement"])
    if not match:
        return "Unknown", "unknown"
    *verbs, table = match.groups()
    return next(verb for verb in verbs if verb).capitalize(), table


def _authorize_by_keys() -> None:
    """Policies may ask for the partition key of what is written (DynamoDB guide, "Using IAM policy conditions")."""
    tell = iam_actions.dynamodb_service_context
    assert "LeadingKeys" not in repr(tell.__code__.co_consts)

    def told(body: bytes) -> dict[str, Any]:
        asked = json.loads(body or b"{}")
        keys = [item["id"]["S"] for name in ("Key", "Item") if (item := asked.get(name))]
        keys += [_key(one) for one in asked.get("Statements", ())]
        return {**tell(body), **({"dynamodb:LeadingKeys": keys} if keys else {})}

    iam_actions.dynamodb_service_context = told


def _key(statement: dict[str, Any]) -> str:
    """The id that it is about, which is always a parameter."""
    text = statement["Statement"]
    match = KEY.search(text)
    assert match, text
    return str(statement["Parameters"][text.count("?", 0, match.end()) - 1]["S"])


def _authorize_batches() -> None:
    """Messages sent, deleted or hidden together are allowed as each by itself (SQS guide, "SQS batch actions")."""
    extract = iam_actions.extract_iam_action

    def extracted(*request: Any) -> str | None:
        action: str | None = extract(*request)
        return action.removesuffix("Batch") if action and action.startswith("sqs:") else action

    iam_actions.extract_iam_action = extracted


def _trust_loopback() -> None:
    """Policies that want TLS are content: it speaks plain HTTP, and only on loopback."""
    pin = app.pin_request_origin
    app.pin_request_origin = lambda address, _: pin(address, True)


def _take_alarms_on_expressions() -> None:
    """An alarm on an expression over metrics is there. No alarm is ever raised here."""
    record = provisioners._cw_metric_alarm_record
    assert "not supported" in repr(record.__code__.co_consts)

    def taken(name: str, properties: dict[str, Any]) -> Any:
        if "Metrics" not in properties:
            return record(name, properties)
        plain = {key: value for key, value in properties.items() if key != "Metrics"}
        return record(name, {**plain, "MetricName": "expression", "Namespace": "local"})

    provisioners._cw_metric_alarm_record = taken


def _unpack_once() -> None:
    """The environments of functions with one package share one copy of it, as they may only read it on AWS."""
    assert _uses(lambda_runtime.Worker._spawn, "extractall")
    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": _Package})


class _Package(zipfile.ZipFile):
    """One whose content is linked to where it should be."""

    _lock = threading.Lock()

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """The folder is a link to the content."""
        assert self.filename is not None
        with Path(self.filename).open("rb") as file:
            content = Path(tempfile.gettempdir(), "packages", hashlib.file_digest(file, "sha256").hexdigest())
        with self._lock:
            if not content.exists():
                super().extractall(part := content.with_suffix(".part"), members, pwd)
                part.rename(content)
        Path(path).rmdir()
        Path(path).symlink_to(content, target_is_directory=True)


def _hide_own_packages() -> None:
    """Functions find what is in their package and in Python, not what this environment has."""
    detect = lambda_runtime._detect_runtime_binary
    assert detect("python3.11")[0] == sys.executable

    def detected(runtime: str) -> tuple[str, str]:
        binary, script = detect(runtime)
        return (sys._base_executable if binary == sys.executable else binary), script  # type: ignore[attr-defined]

    lambda_runtime._detect_runtime_binary = detected


def _uses(function: Any, name: str) -> bool:
    return name in function.__code__.co_names
