"""One DynamoDB table: calls with as many items as fit in one, several calls in flight, each item to its end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from acuse.adapters.aws.calls import PASSING, TROUBLE, Refused, Tries, code_of, is_passing, patiently
from acuse.adapters.aws.expressions import expressed
from acuse.adapters.aws.items import key_of, native_key
from acuse.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from acuse.adapters.aws.items import Attribute, Item
    from acuse.domain.record import Key

T = TypeVar("T")
A = TypeVar("A")

MAX_STATEMENTS = 25
MAX_KEYS = 100
MAX_CALL = 1_048_576
"""Bytes of values in one call; as typed JSON they are several times as many, and DynamoDB takes 16 MB."""
UNMET = frozenset({"DuplicateItem", "ConditionalCheckFailed"})
SEEN_OF_ALL = ("id", "_part", "status", "created_at")


class Statement(NamedTuple):
    """One PartiQL write and its values. `tells`: if its condition does not hold, the item as it is comes back."""

    text: str
    values: Sequence[Attribute]
    size: int = 0
    tells: bool = False

    def asked(self) -> dict[str, Any]:
        """As DynamoDB takes it."""
        told = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if self.tells else {}
        return {"Statement": self.text, "Parameters": self.values, **told}


class Unmet(NamedTuple):
    """The condition of a write did not hold; the item as it is, where the statement was one that tells."""

    item: Item | None


Written = Unmet | StoreUnavailable | None
"""None: it is durable."""


class Table:
    """One table, reached by `in_flight` calls at once; each is tried again for as long as `patience` lasts."""

    def __init__(self, client: Any, name: str, *, patience: timedelta, in_flight: int) -> None:
        """Nothing is called yet."""
        self.name = name
        self._client = client
        self._patience = patience
        self._in_flight = in_flight

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._in_flight, thread_name_prefix="acuse-dynamodb")

    def write(self, statements: Sequence[Statement], *, steadily: bool = False) -> list[Written]:
        """What became of each, in order. No two may be about one item. `steadily`: patient as long as some succeed."""
        return self.each(partial(self._write, steadily=steadily), list(_fitting(statements)))

    def read(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """The items as they are now, by all that was written before; an unknown key is left out."""
        distinct = list(dict.fromkeys(keys))
        pages = [distinct[start : start + MAX_KEYS] for start in range(0, len(distinct), MAX_KEYS)]
        return {key_of(item): item for item in self.each(self._read, pages)}

    def collection(self, id_: str, page_size: int | None = None) -> Iterator[Item]:
        """The request and all its parts, without what they hold; read by so many, or by what fits."""
        limit = {"Limit": page_size} if page_size else {}
        return self.query("#id = :id", {"id": {"S": id_}}, SEEN_OF_ALL, ConsistentRead=True, **limit)

    def query(
        self, condition: str, values: Mapping[str, Attribute], names: Sequence[str] = (), **options: Any
    ) -> Iterator[Item]:
        """All the items of one partition key that fit the condition on the keys. No names: whole items."""
        after: Item | None = None
        while True:
            items, after = self.page_of_query(condition, values, names, after, **options)
            yield from items
            if after is None:
                return

    def page_of_query(
        self,
        condition: str,
        values: Mapping[str, Attribute],
        names: Sequence[str],
        after: Item | None,
        *,
        filtered: str = "",
        **options: Any,
    ) -> tuple[list[Item], Item | None]:
        """The next of them, and where to go on, if anywhere."""
        (condition, filtered, wanted), placeholders = expressed(values, condition, filtered, _wanted(names))
        asked = {"KeyConditionExpression": condition, **_given(filtered, wanted, after)}
        call = partial(self._client.query, TableName=self.name, **asked, **placeholders, **options)
        answer = patiently(self._patience, call)
        return _items(answer), answer.get("LastEvaluatedKey")

    def scan(
        self, condition: str, values: Mapping[str, Attribute], names: Sequence[str], page_size: int, after: Key | None
    ) -> tuple[list[Item], Key | None]:
        """Of the next items those that fit the condition; and where to go on, if anywhere. No names: whole items."""
        (condition, wanted), placeholders = expressed(values, condition, _wanted(names))
        asked = _given(condition, wanted, None if after is None else native_key(after))
        call = partial(self._client.scan, TableName=self.name, Limit=page_size, **asked, **placeholders)
        answer = patiently(self._patience, call)
        last = answer.get("LastEvaluatedKey")
        return _items(answer), last and key_of(last)

    def update(self, key: Key, change: str, condition: str, values: Mapping[str, Attribute]) -> Item | Unmet:
        """The item as it is afterwards. Both expressions name attributes as `#name`."""
        try:
            answer = patiently(
                self._patience,
                partial(
                    self._client.update_item, **self.change(key, change, condition, values), ReturnValues="ALL_NEW"
                ),
            )
        except Refused as refused:
            return Unmet(refused.error.response.get("Item"))
        if "Attributes" not in answer:
            raise StoreUnavailable("DynamoDB gave no answer that can be understood")
        item: Item = answer["Attributes"]
        return item

    def change(self, key: Key, change: str, condition: str, values: Mapping[str, Attribute]) -> dict[str, Any]:
        """The same as one item of a transaction."""
        (change, condition), placeholders = expressed(values, change, condition)
        return {
            "TableName": self.name,
            "Key": native_key(key),
            "UpdateExpression": change,
            "ConditionExpression": condition,
            **placeholders,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def addition(self, item: Item) -> dict[str, Any]:
        """A new item as one of a transaction."""
        return {
            "TableName": self.name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#id)",
            "ExpressionAttributeNames": {"#id": "id"},
        }

    def transact(self, items: Sequence[Mapping[str, Any]], token: str) -> list[Written]:
        """All of them are durable, or none is: then what stood against each. The token makes it safe to repeat."""
        for _ in Tries(self._patience):
            try:
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            except TROUBLE as error:
                reasons = _reasons(error)
                if not (reasons or is_passing(error)):
                    raise StoreUnavailable(str(error)) from error
                if reasons and not any(reason.get("Code") in PASSING for reason in reasons):
                    return [_reason(reason) for reason in reasons]
            else:
                return [None] * len(items)
        raise StoreUnavailable("a transaction met others, or the limits of the table, for too long")

    def each(self, work: Callable[[T], list[A]], pages: Sequence[T]) -> list[A]:
        """The results for every page, in order; several pages are worked on at once."""
        done = map(work, pages) if len(pages) < 2 else self._pool.map(work, pages)  # noqa: PLR2004
        return [one for page in done for one in page]

    def _write(self, statements: Sequence[Statement], *, steadily: bool) -> list[Written]:
        written: dict[int, Written] = {}
        waiting = list(range(len(statements)))
        problem = "no answer"
        tries = Tries(self._patience)
        for _ in tries:
            try:
                answer = self._client.batch_execute_statement(Statements=[statements[one].asked() for one in waiting])
            except TROUBLE as error:
                problem = str(error)
                if not is_passing(error):
                    break
                continue
            errors = dict(zip(waiting, (one.get("Error") for one in answer.get("Responses", []))))  # noqa: B905
            final = {place for place, error in errors.items() if error is None or error["Code"] not in PASSING}
            written |= {place: _written(errors[place]) for place in final}
            waiting = [place for place in waiting if place not in final]
            if not waiting:
                break
            problem = next((error.get("Message", "") for place, error in errors.items() if place not in final), problem)
            if steadily and final:
                tries.renew()
        return [written.get(place, StoreUnavailable(problem)) for place in range(len(statements))]

    def _read(self, keys: Sequence[Key]) -> list[Item]:
        """Of one partition DynamoDB gives no more than 1 MB at once; the rest is asked for again."""
        found: list[Item] = []
        waiting: list[Any] = [native_key(key) for key in keys]
        problem = "DynamoDB did not give every item"
        tries = Tries(self._patience)
        for _ in tries:
            asked = {self.name: {"Keys": waiting, "ConsistentRead": True}}
            try:
                answer = self._client.batch_get_item(RequestItems=asked)
            except TROUBLE as error:
                problem = str(error)
                if not is_passing(error):
                    break
                continue
            if "Responses" not in answer:
                continue
            waiting = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if items := answer["Responses"].get(self.name, []):
                found += items
                tries.renew()
            if not waiting:
                return found
        raise StoreUnavailable(problem)


def _wanted(names: Sequence[str]) -> str:
    return ", ".join(f"#{name}" for name in names)


def _given(filtered: str, wanted: str, after: Item | None) -> dict[str, Any]:
    """What a reading is asked with; what is empty may not be named."""
    asked = {"FilterExpression": filtered, "ProjectionExpression": wanted, "ExclusiveStartKey": after}
    return {name: one for name, one in asked.items() if one}


def _items(answer: Mapping[str, Any]) -> list[Item]:
    if "Items" not in answer:
        raise StoreUnavailable("DynamoDB gave no answer that can be understood")
    items: list[Item] = answer["Items"]
    return items


def _fitting(statements: Iterable[Statement]) -> Iterator[list[Statement]]:
    page: list[Statement] = []
    size = 0
    for statement in statements:
        if page and (len(page) == MAX_STATEMENTS or size + statement.size > MAX_CALL):
            yield page
            page, size = [], 0
        page.append(statement)
        size += statement.size
    if page:
        yield page


def _written(error: Mapping[str, Any] | None) -> Written:
    if error is None:
        return None
    if error["Code"] in UNMET:
        return Unmet(error.get("Item"))
    return StoreUnavailable(f"{error['Code']}: {error.get('Message', '')}")


def _reasons(error: Exception) -> list[dict[str, Any]]:
    """What stood against each item of a transaction, if that is what the error says."""
    if isinstance(error, ClientError) and code_of(error) == "TransactionCanceledException":
        return list(error.response.get("CancellationReasons", []))
    return []


def _reason(reason: Mapping[str, Any]) -> Written:
    match reason.get("Code"):
        case None | "None":
            return None
        case "ConditionalCheckFailed":
            return Unmet(reason.get("Item"))
        case code:
            return StoreUnavailable(f"{code}: {reason.get('Message', '')}")
