"""What alarms and graphs look at, and whether there is such a thing."""

from typing import Any, NamedTuple

from infra.deployment import Access, Deployment, Intake, Profile

from tests.infra.known_metrics import KNOWN, OPERATIONS, RESOURCES
from tests.infra.stacks import Stacks, stacks

PROFILES = tuple(Profile)
ACCESS = {Profile.LAMBDA: Access.IAM, Profile.FARGATE: Access.KEYS}


def made_as(profile: Profile) -> Stacks:
    """The stacks of that profile, with nothing chosen but what must be."""
    return stacks(Deployment(profile=profile, intake=Intake(access=ACCESS[profile])))


class Metric(NamedTuple):
    """One that an alarm or a graph looks at."""

    namespace: str
    name: str
    dimensions: dict[str, Any]


def assert_there(metric: Metric, made: Stacks) -> None:
    """AWS counts it, under these dimensions, and they mean resources of this stack."""
    found = [one for one in KNOWN[metric.namespace] if metric.name in one.names]
    assert any(frozenset(metric.dimensions) in one.dimensions for one in found), metric
    for name, value in metric.dimensions.items():
        if name == "Operation":
            assert value in OPERATIONS, metric
        elif name == "GlobalSecondaryIndexName":
            [table] = Stacks(made.storage, {}).of_type("AWS::DynamoDB::Table").values()
            assert value in [one["IndexName"] for one in table["GlobalSecondaryIndexes"]], metric
        elif name == "service":
            functions = made.of_type("AWS::Lambda::Function").values()
            relay = next(one for one in functions if one["Handler"].endswith(".relay.handler"))
            assert value == relay["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"], metric
        else:
            assert made.type_of(value) == RESOURCES[name], metric
