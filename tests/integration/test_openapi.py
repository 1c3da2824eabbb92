"""The OpenAPI document holds for the running service: Schemathesis sends what it allows, and what it does not allow."""

from __future__ import annotations

import copy
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import Meta
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import requests
from acuse.adapters.clock import SystemClock
from acuse.adapters.memory_keyring import MemoryKeyring
from acuse.adapters.sqlite.database import Database
from acuse.adapters.sqlite.store import SqliteStore
from acuse.application.actions import Action, Catalogue
from acuse.bootstrap import load_catalogue
from acuse.config import Settings
from acuse.domain.api_key import new_key
from acuse.domain.errors import Invalid, StoreUnavailable
from acuse.domain.record import STAMPS
from acuse.domain.submission import parse
from acuse.entrypoints.api.openapi import text
from acuse.entrypoints.api.problems import PROBLEMS
from tests.integration.server import served
from tests.requests import body
from tests.unit.desk import GatedStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from schemathesis.checks import CheckFunction

    from acuse.ports import Keyring

    Document = dict[str, Any]

PATH = "/v1/requests"
JSON, NDJSON = "application/json", "application/x-ndjson"
ACTIONS = [str(Path(__file__).parents[1] / "actions.py"), str(Path(__file__).parents[2] / "examples/flights.py")]
SETTINGS = Settings(max_wait=timedelta(0), max_items=20)
KEY, KEY_TEXT = new_key("tests", bytes(32), datetime(2026, 1, 1, tzinfo=UTC))
CONFIG = {
    "seed": 1,
    "generation": {
        "deterministic": True,
        "database": "none",
        "max-examples": 120,
        # The check `ignored_auth` tries the keys. With random ones here too, little else would be looked at.
        "with-security-parameters": False,
    },
    "auth": {"openapi": {"key": {"bearer": KEY_TEXT}}},
    # 413 is how too many items are refused, and not among those that are expected by default.
    "checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}},
}

REQUESTS = st.fixed_dictionaries(
    {"id": st.uuids(version=4).map(str), "action": st.just("delay")},
    optional={"seconds": st.integers(0, 3600), "note": st.text()},
).map(json.dumps)
LINES = st.lists(REQUESTS | st.text(), max_size=8).map(lambda lines: "\n".join(lines).encode())
schemathesis.openapi.media_type(NDJSON, LINES)


def document(**changed: Any) -> Document:
    found: Document = json.loads(text(load_catalogue([]), Settings(**changed)))
    return found


def of_single_requests(told: Document) -> Document:
    """The same, as far as one request in JSON goes: then what is wrong is always something in it."""
    operation = told["paths"][PATH]["post"]
    operation["requestBody"]["content"] = {JSON: {"schema": {"$ref": "#/components/schemas/Request"}}}
    operation["parameters"] = []
    return told


def loaded(told: Document) -> schemathesis.BaseSchema:
    found = schemathesis.openapi.from_dict(told, config=SchemathesisConfig.from_dict(CONFIG))
    takes_many = "BulkRequest" in json.dumps(told["paths"])

    @found.hook
    def filter_case(_: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
        # An empty list of codings is as good as none (RFC 9110 section 5.6.1).
        headers: Mapping[str, object] = case.headers or {}
        is_told = headers.get("Content-Encoding") != "" and (takes_many or not isinstance(case.body, list))
        # What the document says in words, since a schema cannot: which numbers, which names, how deep.
        return is_told and is_strict(case.body)

    return found


def is_strict(value: object, levels: int = 30) -> bool:
    match value:
        case dict() | list() if not levels:
            return False
        case dict():
            return all("\0" not in name and is_strict(inner, levels - 1) for name, inner in value.items())
        case list():
            return all(is_strict(inner, levels - 1) for inner in value)
        case int() | float():
            return not value or 1e-130 <= abs(value) < (1e126 if isinstance(value, float) else 1e38)
        case _:
            return True


SETTLED = document(max_wait=SETTINGS.max_wait, max_items=SETTINGS.max_items)
whole = loaded(copy.deepcopy(SETTLED))
single = loaded(of_single_requests(copy.deepcopy(SETTLED)))


class Coding(HTTPAdapter):
    """A body that is said to be in gzip is."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.headers.get("content-encoding") == "gzip":
            sent = request.body or b""
            assert isinstance(sent, bytes | str)
            request.body = gzip.compress(sent.encode() if isinstance(sent, str) else sent)
            request.prepare_content_length(request.body)
        return super().send(request, *args, **kwargs)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    database = Database(tmp_path_factory.mktemp("openapi") / "acuse.db", durable=False, busy=timedelta(seconds=5))
    yield SqliteStore(database, SystemClock())
    database.close()


def keyring() -> Keyring:
    made = MemoryKeyring()
    made.put(KEY)
    return made


@pytest.fixture(scope="module")
def service(store: SqliteStore) -> Iterator[str]:
    with served(store, SETTINGS, keyring()) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.mount("http://", Coding())
        yield made


def fits(value: object, schema: dict[str, Any], told: Document = SETTLED) -> bool:
    return jsonschema_rs.Draft202012Validator({**schema, "components": told["components"]}).is_valid(value)


def call(case: schemathesis.Case[Any], service: str, session: requests.Session) -> None:
    """Sent, with every check there is on what comes back."""
    headers: Mapping[str, object] = case.headers or {}
    prefers = str(headers.get("Prefer"))
    # All or nothing: what would be answered in its item refuses the whole, which no schema of a body can say.
    is_refused_as_a_whole = "strict" in prefers and not isinstance(case.body, dict)
    excluded: list[CheckFunction] = [positive_data_acceptance] if is_refused_as_a_whole else []
    response = case.call_and_validate(base_url=service, session=session, excluded_checks=excluded)
    if response.headers["content-type"] == [NDJSON]:
        assert are_lines(response.content)


def are_lines(content: bytes) -> bool:
    """Whether it is what NDJSON is answered with: the items, then the totals."""
    lines = [json.loads(line) for line in content.splitlines()]
    items, last = ({"$ref": f"#/components/schemas/{name}"} for name in ("Item", "LastLine"))
    return fits(lines[:-1], {"items": items}) and fits(lines[-1:], {"items": last, "minItems": 1})


@whole.parametrize()
def test_what_the_document_allows_is_taken_and_answered_as_it_says(
    case: schemathesis.Case[Any], service: str, session: requests.Session
) -> None:
    call(case, service, session)


@single.parametrize()
def test_what_is_no_request_is_refused(case: schemathesis.Case[Any], service: str, session: requests.Session) -> None:
    call(case, service, session)


def no_answer_to_new_requests(told: Document) -> None:
    del told["paths"][PATH]["post"]["responses"]["201"]


def no_problem_documents(told: Document) -> None:
    told["paths"][PATH]["post"]["responses"]["422"]["content"] = {JSON: {}}


def other_records(told: Document) -> None:
    told["components"]["schemas"]["Record"]["properties"]["attempts"]["type"] = "string"


def headers_that_are_not_sent(told: Document) -> None:
    told["components"]["headers"]["Preference-Applied"]["required"] = True


def longer_delays(told: Document) -> None:
    told["components"]["schemas"]["actions.Delay"]["properties"]["seconds"] |= {"minimum": 4000, "maximum": 5000}


def nothing_but_requests_in_bulk(told: Document) -> None:
    told["components"]["schemas"]["BulkRequest"]["anyOf"].pop()


@pytest.mark.parametrize(
    ("lie", "sent", "found"),
    [
        (no_answer_to_new_requests, GenerationMode.POSITIVE, "UndefinedStatusCode"),
        (no_problem_documents, GenerationMode.NEGATIVE, "UndefinedContentType"),
        (other_records, GenerationMode.POSITIVE, "JsonSchemaError"),
        (headers_that_are_not_sent, GenerationMode.POSITIVE, "MissingHeaders"),
        (longer_delays, GenerationMode.POSITIVE, "RejectedPositiveData"),
        (nothing_but_requests_in_bulk, GenerationMode.NEGATIVE, "AcceptedNegativeData"),
    ],
)
def test_a_document_that_is_wrong_is_found_out(
    service: str, session: requests.Session, lie: Callable[[Document], None], sent: GenerationMode, found: str
) -> None:
    told = copy.deepcopy(SETTLED)
    told["paths"][PATH]["post"]["parameters"] = []
    lie(told)

    assert found in failures(told, sent, service, session)


def test_a_service_that_asks_for_no_key_is_found_out(store: SqliteStore, session: requests.Session) -> None:
    with served(store, SETTINGS) as (host, port):
        assert "IgnoredAuth" in failures(SETTLED, GenerationMode.POSITIVE, f"http://{host}:{port}", session)


def failures(told: Document, sent: GenerationMode, service: str, session: requests.Session) -> set[str]:
    """What Schemathesis finds first."""
    operation = loaded(copy.deepcopy(told))[PATH]["POST"]

    @settings(
        max_examples=1000, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=sent))
    def run(case: schemathesis.Case[Any]) -> None:
        call(case, service, session)

    with pytest.raises((FailureGroup, Failure)) as raised:
        run()
    group = raised.value
    return {type(one).__name__ for one in (group.exceptions if isinstance(group, FailureGroup) else [group])}


@pytest.mark.parametrize("specs", [[], ACTIONS])
def test_the_document_is_openapi(specs: list[str]) -> None:
    told = json.loads(text(load_catalogue(specs), Settings()))

    loaded(copy.deepcopy(told)).validate()
    del told["paths"][PATH]["post"]["parameters"][0]["in"]
    with pytest.raises(jsonschema_rs.ValidationError):
        loaded(told).validate()


def test_each_action_has_its_schema() -> None:
    catalogue = load_catalogue(ACTIONS)
    schemas = json.loads(text(catalogue, Settings()))["components"]["schemas"]
    mapping = schemas["Request"]["discriminator"]["mapping"]

    assert list(mapping) == list(catalogue)
    for tag, place in mapping.items():
        assert schemas[place.removeprefix("#/components/schemas/")]["properties"]["action"]["const"] == tag


class Closed(Action, tag="closed", forbid_unknown_fields=True):
    size: int

    def run(self) -> None:
        """Nothing."""


class WithId(Action, tag="with-id"):
    id: Annotated[str, Meta(pattern="^0")]

    def run(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("members", "is_taken"),
    [
        ({"action": "closed", "size": 1}, True),
        ({"action": "closed"}, False),
        ({"action": "closed", "size": 1, "note": "x"}, False),
        ({"action": "with-id", "note": "x"}, True),
        ({"action": "with-id", "id": "1192f0c1-0000-7000-8000-000000000001"}, False),
        ({"action": "with-id", "id": "0"}, False),
        ({"action": "with-id", "id": "00000000-0000-0000-0000-000000000000"}, False),
        ({"action": "with-id", "_note": "x"}, False),
        ({"action": "with-id", "status": "x"}, False),
        ({"action": "other"}, False),
    ],
)
def test_the_schema_of_an_action_says_what_its_type_takes(members: dict[str, Any], is_taken: bool) -> None:  # noqa: FBT001
    catalogue = Catalogue([Closed, WithId])
    sent = {"id": "0192f0c1-0000-7000-8000-000000000001", **members}

    assert fits(sent, {"$ref": "#/components/schemas/Request"}, json.loads(text(catalogue, Settings()))) is is_taken
    try:
        catalogue.check(parse(json.dumps(sent).encode()))
    except Invalid:
        assert not is_taken
    else:
        assert is_taken


def test_the_stamps_and_the_problems_are_those_of_the_code() -> None:
    schemas = SETTLED["components"]["schemas"]

    assert set(schemas["MinimalRecord"]["properties"]) == STAMPS | {"id"}
    assert list(schemas["Problem"]["discriminator"]["mapping"]) == [problem.type for problem in PROBLEMS]


def examples(content: Document) -> list[tuple[object, dict[str, Any]]]:
    """Every example, and what it is an example of."""
    return [
        (value, media["schema"])
        for media in content.values()
        for value in [media[name] for name in ["example"] if name in media]
        + [one["value"] for one in media.get("examples", {}).values()]
    ]


def test_the_examples_are_what_they_are_examples_of() -> None:
    operation = SETTLED["paths"][PATH]["post"]
    answers = [*operation["responses"].values(), *SETTLED["components"]["responses"].values()]
    found = [*examples(operation["requestBody"]["content"]), *(one for a in answers for one in examples(a["content"]))]

    assert len(found) > len(answers)
    assert [value for value, schema in found if not fits(value, schema)] == []


def test_the_examples_are_taken(service: str) -> None:
    headers = {"authorization": f"Bearer {KEY_TEXT}"}
    for media_type, media in SETTLED["paths"][PATH]["post"]["requestBody"]["content"].items():
        for value, _ in examples({media_type: media}):
            sent = value if isinstance(value, str) else json.dumps(value)
            answer = requests.post(service + PATH, sent, headers=headers | {"content-type": media_type}, timeout=30)
            assert answer.status_code in (200, 201, 207)
            assert '"refused":1' not in answer.text


def check(answer: requests.Response) -> None:
    """As the document says, as far as an answer goes."""
    of_answers: list[CheckFunction] = [
        status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance,
    ]  # fmt: skip
    whole[PATH]["POST"].Case().validate_response(answer, checks=of_answers)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer acuse_tests_wrong"}])
def test_the_answer_to_no_key_or_a_wrong_one_is_as_the_document_says(service: str, headers: dict[str, str]) -> None:
    answer = requests.post(service + PATH, body(), headers={"content-type": JSON, **headers}, timeout=30)

    check(answer)
    assert answer.status_code == 401


@pytest.mark.parametrize("prefer", ["", "return=minimal", "handling=strict"])
@pytest.mark.parametrize(("media_type", "sent"), [(JSON, "[]"), (NDJSON, ""), (NDJSON, "\n")])
def test_the_answer_to_no_requests_at_all_is_as_the_document_says(
    service: str, prefer: str, media_type: str, sent: str
) -> None:
    headers = {"authorization": f"Bearer {KEY_TEXT}", "content-type": media_type, "prefer": prefer}
    answer = requests.post(service + PATH, sent, headers=headers, timeout=30)

    check(answer)
    assert answer.status_code == 207
    assert media_type == JSON or are_lines(answer.content)


def test_the_answers_to_too_many_requests_and_without_a_store_are_as_the_document_says() -> None:
    answered: list[int] = []
    broken = GatedStore()
    broken.error = StoreUnavailable("full")
    broken.gate.release(10)
    for behind, chosen in ((broken, Settings()), (GatedStore(), Settings(rate=1, max_body=1))):
        with served(behind, chosen) as (host, port):
            for _ in range(2):
                answer = requests.post(
                    f"http://{host}:{port}{PATH}", body(), headers={"content-type": JSON}, timeout=30
                )
                check(answer)
                answered.append(answer.status_code)

    assert answered == [503, 503, 413, 429]
