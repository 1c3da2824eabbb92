"""Actions are types: a type's fields are the schema of the POST, its methods do the work."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, ClassVar, get_type_hints

import msgspec

from acuse.domain.errors import FieldError, Invalid, Misconfigured
from acuse.domain.policy import Policy
from acuse.domain.record import STAMPS
from acuse.domain.subject import subject
from acuse.domain.submission import Submission, pointer


class Action(msgspec.Struct, tag_field="action"):
    """Subclass it with a tag and fields, and define `run`; or `split`, `process` and `merge`.

    `run(self) -> dict` does the whole work and returns the result.
    `split(self) -> Iterable[P]` says the parts, `process(self, part: P) -> R` does one of them, on any worker, and
    `merge(self, results: Iterable[R]) -> dict` puts the results together, in the order of the parts. P and R are what
    msgspec can encode as JSON; they come back as the types that `process` and `merge` name.

    What is no number in JSON (NaN, infinity) becomes null in a part or a result.

    A run may be repeated after a failure, so make its effects safe to repeat. Raise Retry or Fail to end it otherwise.
    """

    policy: ClassVar[Policy] = Policy()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The run under way, as its action may see it."""

    id: str
    part: int
    attempt: int
    traceparent: str | None


log = logging.getLogger(__name__)

_PLACE = re.compile(r" - at `\$([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")

_this_run: ContextVar[Run] = ContextVar("acuse_run")


def this_run() -> Run:
    """The run under way; LookupError outside of one."""
    return _this_run.get()


class ActionType:
    """One action type, checked, with what is needed to validate and to run it."""

    def __init__(self, cls: type[Action]) -> None:
        """Raise Misconfigured if the type has no tag or does not say how it works."""
        self.cls = cls
        tag = cls.__struct_config__.tag
        if not isinstance(tag, str) or not tag:
            raise Misconfigured(f'{cls.__qualname__} needs a tag: class {cls.__qualname__}(Action, tag="…")')
        self.tag = tag
        defined = {name for name in ("run", "split", "process", "merge") if callable(getattr(cls, name, None))}
        if defined not in ({"run"}, {"split", "process", "merge"}):
            raise Misconfigured(f"{tag}: define either run, or split, process and merge; it has {sorted(defined)}")
        self.is_split = "split" in defined
        self.policy = cls.policy
        if not isinstance(self.policy, Policy):
            raise Misconfigured(f"{tag}: policy must be a class variable: policy: ClassVar[Policy] = Policy(…)")
        self.part_type: Any = Any
        self.result_type: Any = Any
        msgspec.json.encode(tag)  # Makes its UTF-8: without that msgspec finds no tag that is not ASCII.
        try:
            self._decoder = msgspec.json.Decoder(cls)
            if self.is_split:
                self.part_type = _taken_by(cls, "process")
                items = getattr(_taken_by(cls, "merge"), "__args__", ())
                self.result_type = items[0] if items else Any
        except (TypeError, NameError) as error:
            raise Misconfigured(f"{tag}: msgspec cannot make a schema of its fields: {error}") from error
        names = {field.encode_name for field in msgspec.structs.fields(cls)}
        if reserved := sorted(name for name in names if name in STAMPS or name.startswith("_")):
            raise Misconfigured(f"{tag}: these names belong to the service: {', '.join(reserved)}")
        self._forbids_id = cls.__struct_config__.forbid_unknown_fields and "id" not in names

    def decode(self, body: bytes, submission: Submission | None = None) -> Action:
        """The action with its fields; Invalid with a pointer if a field does not fit."""
        if self._forbids_id:
            members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            members.pop("id", None)
            body = msgspec.json.encode(members)
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise Invalid([_field_error(str(error))]) from error
        except Exception as error:
            about = subject(submission.id, traceparent=submission.traceparent) if submission else {}
            log.exception("an action's own check failed", extra={"action": self.tag, **about})
            raise Invalid([FieldError("#", "the action cannot take these fields")]) from error


class Catalogue(Mapping[str, ActionType]):
    """Every registered action by its tag: the enumeration of what a request may ask for."""

    def __init__(self, types: Iterable[type[Action]]) -> None:
        """Raise Misconfigured if two types have one tag."""
        self._types: dict[str, ActionType] = {}
        for cls in types:
            found = ActionType(cls)
            if found.tag in self._types and self._types[found.tag].cls is not cls:
                raise Misconfigured(f"two actions have the tag {found.tag}")
            self._types[found.tag] = found

    def __getitem__(self, tag: str) -> ActionType:
        return self._types[tag]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._types))

    def __len__(self) -> int:
        return len(self._types)

    def check(self, submission: Submission) -> None:
        """Raise Invalid if the action is unknown or a field does not fit its type."""
        found = self._types.get(submission.action)
        if found is None:
            raise Invalid([FieldError(pointer("action"), f"unknown action; one of: {', '.join(self)}")])
        found.decode(submission.body, submission)

    def bounds(self) -> dict[str, int | None]:
        """How many runs of each action may be under way at once; None: any number."""
        return {tag: self[tag].policy.concurrency for tag in self}


def _field_error(message: str) -> FieldError:
    """Msgspec ends its messages with the place, as in ` - at `$.items[0].size``; `[...]` is some key of a mapping."""
    place = _PLACE.search(message)
    detail, path = (message[: place.start()], place[1]) if place else (message, "")
    steps = [name or index for name, index in _STEP.findall(path.partition("[...]")[0])]
    if missing := _MISSING.fullmatch(detail):
        return FieldError(pointer(*steps, missing[1]), "required")
    return FieldError(pointer(*steps), detail)


def _taken_by(cls: type[Action], name: str) -> Any:
    """The type of the one argument that the method takes; Any if it is not annotated."""
    method = getattr(cls, name)
    parameters = list(inspect.signature(method).parameters)[1:]
    if len(parameters) != 1:
        raise Misconfigured(f"{cls.__qualname__}.{name} must take one argument")
    return get_type_hints(method, include_extras=True).get(parameters[0], Any)
