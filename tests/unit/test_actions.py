from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest

from acuse import Action, Policy, this_run
from acuse.application.actions import ActionType, Catalogue
from acuse.delay import Delay
from acuse.domain.errors import Invalid, Misconfigured
from tests.requests import submission


class Item(msgspec.Struct):
    size: int


class Fields(Action, tag="fields"):
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    kind: Literal["a", "b"] = "a"
    items: list[Item] = msgspec.field(default_factory=list)
    id: str = ""

    def run(self) -> None: ...


class Forbidding(Action, tag="forbidding", forbid_unknown_fields=True):
    count: int = 1

    def run(self) -> None: ...


class Split(Action, tag="split"):
    policy: ClassVar[Policy] = Policy(concurrency=3, time_limit=timedelta(seconds=1))

    def split(self) -> Iterator[Item]:
        yield Item(1)

    def process(self, part: Item) -> int:
        return part.size

    def merge(self, results: Iterable[int]) -> int:
        return sum(results)


class Loose(Action, tag="loose"):
    def split(self):  # type: ignore[no-untyped-def]  # noqa: ANN201
        return []

    def process(self, part):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        return part

    def merge(self, results):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        return list(results)


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue([Fields, Forbidding, Split, Delay])


def complaint(catalogue: Catalogue, **members: object) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        catalogue.check(submission(**members))
    [error] = caught.value.errors
    return error.pointer, error.detail


def test_the_catalogue_is_the_enumeration_of_the_actions(catalogue: Catalogue) -> None:
    assert list(catalogue) == ["delay", "fields", "forbidding", "split"]
    assert len(catalogue) == 4
    assert catalogue["split"].cls is Split
    assert catalogue.bounds() == {"delay": None, "fields": None, "forbidding": None, "split": 3}


def test_an_unknown_action_is_invalid_and_the_known_ones_are_named(catalogue: Catalogue) -> None:
    assert complaint(catalogue, action="nope") == (
        "#/action",
        "unknown action; one of: delay, fields, forbidding, split",
    )


@pytest.mark.parametrize(
    ("members", "pointer", "says"),
    [
        ({"count": "1"}, "#/count", "Expected `int`, got `str`"),
        ({"count": 0}, "#/count", "Expected `int` >= 1"),
        ({"items": [{"size": 1}, {"size": None}]}, "#/items/1/size", "Expected `int`, got `null`"),
        ({"items": [{}]}, "#/items/0/size", "required"),
        ({"kind": "zz - at `$.other`"}, "#/kind", "Invalid enum value 'zz - at `$.other`'"),
        ({"items": 1}, "#/items", "Expected `array`, got `int`"),
    ],
)
def test_a_field_that_does_not_fit_is_pointed_at(
    catalogue: Catalogue, members: dict[str, object], pointer: str, says: str
) -> None:
    assert complaint(catalogue, action="fields", **members) == (pointer, says)


def test_a_field_in_a_mapping_is_pointed_at_as_far_as_it_is_known() -> None:
    class Mapped(Action, tag="mapped"):
        sizes: dict[str, int]

        def run(self) -> None: ...

    assert complaint(Catalogue([Mapped]), action="mapped", sizes={"a": "b"})[0] == "#/sizes"
    assert complaint(Catalogue([Mapped]), action="mapped") == ("#/sizes", "required")


def test_members_that_the_type_does_not_name_are_let_through(catalogue: Catalogue) -> None:
    catalogue.check(submission(action="fields", note="mine", count=2))


def test_unless_the_action_forbids_them(catalogue: Catalogue) -> None:
    catalogue.check(submission(action="forbidding", count=2))

    assert complaint(catalogue, action="forbidding", note="mine") == ("#", "Object contains unknown field `note`")
    assert complaint(catalogue, action="forbidding", **{"z - at `$.q`": 1})[0] == "#"


def test_a_check_of_the_action_s_own_that_fails_is_a_complaint() -> None:
    class Careful(Action, tag="careful"):
        low: int = 0

        def __post_init__(self) -> None:
            if self.low == 1:
                raise ValueError("low must not be 1")
            assert self.low != 2

        def run(self) -> None: ...

    careful = Catalogue([Careful])

    assert complaint(careful, action="careful", low=1) == ("#", "low must not be 1")
    assert complaint(careful, action="careful", low=2) == ("#", "the action cannot take these fields")


def test_a_field_cannot_have_a_name_of_the_service_s() -> None:
    class Stamped(Action, tag="stamped"):
        result: int

        def run(self) -> None: ...

    with pytest.raises(Misconfigured, match="belong to the service: result"):
        ActionType(Stamped)


def test_an_action_that_names_the_id_gets_it() -> None:
    sent = submission(action="fields")

    action = ActionType(Fields).decode(sent.body)

    assert isinstance(action, Fields)
    assert action.id == sent.id


def test_part_and_result_types_are_those_that_the_methods_name() -> None:
    split = ActionType(Split)

    assert split.part_type is Item
    assert split.result_type is int


def test_without_annotations_parts_and_results_are_any_json() -> None:
    loose = ActionType(Loose)

    assert loose.part_type is Any
    assert loose.result_type is Any


def test_a_type_must_say_how_it_works() -> None:
    class Nothing(Action, tag="nothing"): ...

    class Half(Action, tag="half"):
        def split(self) -> list[int]:
            return []

    class Both(Split, tag="both"):
        def run(self) -> None: ...

    for cls in (Nothing, Half, Both):
        with pytest.raises(Misconfigured, match="define either run, or split, process and merge"):
            ActionType(cls)


def test_the_tag_must_be_a_text() -> None:
    class Numbered(Action, tag=1):
        def run(self) -> None: ...

    with pytest.raises(Misconfigured, match="needs a tag"):
        ActionType(Numbered)


def test_a_tag_may_be_in_any_script() -> None:
    class Invoicing(Action, tag="facturaci\N{LATIN SMALL LETTER O WITH ACUTE}n"):
        def run(self) -> None: ...

    assert ActionType(Invoicing).decode(rb'{"action": "facturaci\u00f3n"}') == Invoicing()


def test_a_type_must_have_a_schema() -> None:
    class Strange(Action, tag="strange"):
        field: complex | Item | Split

        def run(self) -> None: ...

    with pytest.raises(Misconfigured, match="msgspec cannot make a schema"):
        ActionType(Strange)


def test_a_process_without_a_part_is_found_out() -> None:
    class Partless(Split, tag="partless"):
        def process(self) -> int:  # type: ignore[override]
            return 1

    with pytest.raises(Misconfigured, match="must take"):
        ActionType(Partless)


def test_no_two_types_may_have_one_tag() -> None:
    class Other(Action, tag="split"):
        def run(self) -> None: ...

    with pytest.raises(Misconfigured, match="two actions have the tag split"):
        Catalogue([Split, Other])
    assert len(Catalogue([Split, Split])) == 1


def test_outside_of_a_run_there_is_none() -> None:
    with pytest.raises(LookupError):
        this_run()


def test_a_delay_is_what_it_says() -> None:
    assert Delay(seconds=0.001).run() == {"seconds": 0.001}


def test_a_policy_that_is_a_field_is_found_out() -> None:
    class Fieldwise(Action, tag="fieldwise"):
        policy: Policy = Policy()  # type: ignore[misc]

        def run(self) -> None: ...

    with pytest.raises(Misconfigured, match="policy must be a class variable"):
        ActionType(Fieldwise)


def test_the_names_of_the_service_are_told_all_at_once() -> None:
    class Stamped(Action, tag="stamped"):
        status: str
        result: int
        own: int = msgspec.field(name="_own")

        def run(self) -> None: ...

    with pytest.raises(Misconfigured, match=r"^stamped: these names belong to the service: _own, result, status$"):
        ActionType(Stamped)


def test_bounds_that_the_annotations_name_hold_for_parts_and_results() -> None:
    class Bounded(Split, tag="bounded"):
        def process(self, part: Annotated[int, msgspec.Meta(ge=1)]) -> int:  # type: ignore[override]
            return part

        def merge(self, results: Iterable[Annotated[int, msgspec.Meta(ge=2)]]) -> int:
            return sum(results)

    bounded = ActionType(Bounded)

    assert msgspec.json.decode(b"1", type=bounded.part_type) == 1
    for number, type_ in ((b"0", bounded.part_type), (b"1", bounded.result_type)):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(number, type=type_)


def test_results_of_which_only_the_container_is_named_are_any_json() -> None:
    class Bare(Split, tag="bare"):
        def merge(self, results: list) -> int:  # type: ignore[override, type-arg]
            return len(results)

    assert ActionType(Bare).result_type is Any


def test_where_unknown_members_are_forbidden_the_id_is_let_through_and_numbers_stay_exact() -> None:
    class Exact(Action, tag="exact", forbid_unknown_fields=True):
        number: Decimal

        def run(self) -> None: ...

    class Naming(Action, tag="naming", forbid_unknown_fields=True):
        id: str

        def run(self) -> None: ...

    digits = "0.12345678901234567890123456789012345678"
    exact = ActionType(Exact).decode(f'{{"id":"x","action":"exact","number":{digits}}}'.encode())
    naming = ActionType(Naming).decode(b'{"id":"x","action":"naming"}')

    assert isinstance(exact, Exact)
    assert exact.number == Decimal(digits)
    assert isinstance(naming, Naming)
    assert naming.id == "x"
    with pytest.raises(Invalid):
        ActionType(Exact).decode(b'{"id":"x","action":"exact","number":1,"note":2}')


def test_a_complaint_of_the_whole_object_points_at_it() -> None:
    class Whole(Action, tag="whole"):
        def __post_init__(self) -> None:
            raise ValueError("never")

        def run(self) -> None: ...

    assert complaint(Catalogue([Whole]), action="whole") == ("#", "never")
