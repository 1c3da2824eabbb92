from __future__ import annotations

import ast
import inspect
import typing
from pathlib import Path

import msgspec
import pytest
from infra.deployment import DEPLOYMENT, Access, Containers, Deployment, Intake, Profile, Section, Unfit

from acuse.entrypoints.lambdas.worker import RESERVE_SECONDS
from infra import deployment as module

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "deployment.md"
KEYS = Intake(access=Access.KEYS)


def meanings() -> dict[tuple[str, str], str]:
    """What stands below each member of each class."""
    found = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            for member, below in zip(node.body, node.body[1:], strict=False):
                match member, below:
                    case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                        found[node.name, name] = text
    return found


def reference() -> str:
    """The tables of all that can be chosen, as they must stand in the docs."""
    told = meanings()
    sections: dict[str, type[Section]] = {
        name: kind
        for name, kind in typing.get_type_hints(Deployment).items()
        if isinstance(kind, type) and issubclass(kind, Section)
    }
    every: dict[str, type[Section]] = {"": Deployment, **sections}
    lines: list[str] = []
    for title, kind in every.items():
        lines += [f"## {f'`[{title}]`' if title else 'At the top'}", ""]
        if title:
            lines += [inspect.getdoc(kind) or "", ""]
        lines += ["| name | default | meaning |", "|---|---|---|"]
        for field in msgspec.structs.fields(kind):
            if field.name not in sections:
                lines.append(f"| `{field.name}` | {shown(field)} | {told[kind.__name__, field.name]} |")
        lines.append("")
    return "\n".join(lines)


def shown(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case "" | () | {}:
            return ""
        case _:
            return f"`{value}`"


def test_the_reference_tells_all_that_can_be_chosen() -> None:
    assert REFERENCE.read_text().endswith(reference())


def test_the_file_that_comes_with_the_service_is_what_is_by_default() -> None:
    assert Deployment.read(DEPLOYMENT) == Deployment()


def test_the_example_in_the_reference_can_be_deployed(tmp_path: Path) -> None:
    file = tmp_path / "deployment.toml"
    file.write_text(REFERENCE.read_text().partition("```toml\n")[2].partition("```")[0])

    assert Deployment.read(file).intake.access is Access.JWT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profile = 'lamda'", "lamda"),
        ("nam = 'acuse'", "nam"),
        ("name = 'Acuse'", "name"),
        ("name = 'a--b'", "name"),
        ("[worker]\nmemory = 64", "memory"),
        ("[worker]\nseconds = 901", "seconds"),
        ("[worker]\nconcurrency = 1", "concurrency"),
        ("[worker]\nreceives = 4", "receives"),
        ("log_days = 31", "log_days"),
        ("[intake]\naccess = 'nobody'", "nobody"),
        ("[intake]\naccess = 'jwt'", "issuer"),
        ("[intake]\nissuer = 'https://issuer.example/'", "issuer"),
        ("profile = 'fargate'", "keys"),
        ("[containers]\npublic = true", "certificate"),
        ("[containers]\napi_tasks = 20", "tasks"),
        ("[containers]\nworker_tasks = 30", "tasks"),
        ("[containers]\nworker_cpu = 300", "300"),
        ("[containers]\nnetwork = '10.0.0.0/28'", "prefix"),
        ("[containers]\nnetwork = '999.0.0.0/16'", "999"),
        ("[containers]\nclients = ['10.0.0.1/8']", "host bits"),
        ("[table]\nwarm_writes = 100", "warm_writes"),
        ("[table]\nwarm_writes = 8000\nmax_writes = 5000", "warm"),
        ("alarm_email = 'nobody'", "alarm_email"),
        ("[intake]\naccess = 'jwt'\nissuer = 'http://x'\naudience = ['a']", "issuer"),
        ("policies = ['read-the-lake']", "policies"),
        ("[settings]\nACUSE_STORE = 'sqlite'", "ACUSE_STORE"),
        ("[settings]\nACUSE_ALLOW_ANYONE = 'true'", "ACUSE_ALLOW_ANYONE"),
        ("[settings]\nACUSE_PATIENC = '1'", "ACUSE_PATIENC"),
        ("[settings]\nACUSE_PATIENCE = '-1'", "patience"),
        ("[settings]\nACUSE_PATIENCE = '21'", "ACUSE_PATIENCE"),
        ("[alarms]\noldest_minutes = 5", "oldest_minutes"),
        ("name = ", "document"),
    ],
)
def test_what_cannot_be_is_refused_and_named(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "deployment.toml"
    file.write_text(text)

    with pytest.raises(Unfit, match=says):
        Deployment.read(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=r"nowhere\.toml"):
        Deployment.read(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "fit",
    [
        Deployment(profile=Profile.FARGATE, intake=KEYS),
        Deployment(
            profile=Profile.FARGATE, intake=KEYS, containers=Containers(public=True, certificate="arn:aws:acm:")
        ),
        Deployment(intake=Intake(access=Access.JWT, issuer="https://issuer.example/", audience=("acuse",))),
        Deployment(settings={"ACUSE_PATIENCE": "20", "ACUSE_LOG_LEVEL": "WARNING"}),
    ],
)
def test_what_can_be_comes_back_from_a_file_as_it_was(fit: Deployment) -> None:
    assert msgspec.convert(msgspec.to_builtins(fit), Deployment) == fit


def test_the_shortest_worker_has_time_for_a_run_with_the_longest_patience() -> None:
    worker = msgspec.inspect.type_info(module.Worker)
    assert isinstance(worker, msgspec.inspect.StructType)
    [seconds] = [one.type for one in worker.fields if one.name == "seconds"]
    assert isinstance(seconds, msgspec.inspect.IntType)
    assert seconds.ge is not None

    assert seconds.ge >= module.MAX_PATIENCE.total_seconds() + 2 * RESERVE_SECONDS


def test_actions_in_files_are_told_by_their_modules() -> None:
    made = Deployment(actions=("actions/reports.py", "company.actions"), settings={"ACUSE_RUNNERS": "1"})

    assert made.environment("records", "due") == {
        "ACUSE_STORE": "dynamodb://records",
        "ACUSE_QUEUE": "sqs://due",
        "ACUSE_ACTIONS": "reports,company.actions",
        "ACUSE_RUNNERS": "1",
    }
