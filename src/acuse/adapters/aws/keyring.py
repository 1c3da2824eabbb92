"""The Keyring in DynamoDB: one item with two attributes a key, how it was made and when it was revoked."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from acuse.adapters.aws.items import moment, text
from acuse.adapters.aws.table import Unmet
from acuse.domain.api_key import ApiKey, is_name
from acuse.domain.record import Key, rfc3339

if TYPE_CHECKING:
    from datetime import datetime

    from acuse.adapters.aws.items import Attribute, Item
    from acuse.adapters.aws.table import Table

ITEM = Key("_keys", -1)
"""Like a permit's: not of a request, and not of a part."""
MADE, REVOKED = "key_", "revoked_"


class DynamoKeyring:
    """See Keyring. The item has room for some 2,000 keys."""

    def __init__(self, table: Table) -> None:
        """Nothing is called yet."""
        self._table = table

    def keys(self) -> list[ApiKey]:
        """See Keyring."""
        item = self._table.read([ITEM]).get(ITEM, {})
        made = {_key_name(name): one["M"] for name, one in item.items() if name.startswith(MADE)}
        return [
            ApiKey(
                name=name,
                hash=bytes(made[name]["hash"]["B"]),
                created_at=moment(made[name]["created_at"]),
                revoked_at=_revoked_at(item, name),
            )
            for name in sorted(made)
        ]

    def put(self, key: ApiKey) -> bool:
        """See Keyring."""
        name = _suffix(key.name)
        made = {"hash": {"B": key.hash}, "created_at": text(rfc3339(key.created_at))}
        return self._set(MADE + name, f"attribute_not_exists(#{MADE}{name})", made)

    def revoke(self, name: str, at: datetime) -> bool:
        """See Keyring."""
        if not is_name(name):
            return False
        name = _suffix(name)
        holds = f"attribute_exists(#{MADE}{name}) AND attribute_not_exists(#{REVOKED}{name})"
        return self._set(REVOKED + name, holds, {"at": text(rfc3339(at))})

    def _set(self, name: str, condition: str, members: dict[str, Attribute]) -> bool:
        """Whether the attribute is there by this call: now, or because a write that was thought lost has landed."""
        mark = text(secrets.token_hex(12))
        value = {"M": {**members, "write": mark}}
        written = self._table.update(ITEM, f"SET #{name} = :value", condition, {"value": value})
        return not isinstance(written, Unmet) or (written.item or {}).get(name, {}).get("M", {}).get("write") == mark


# A name has no underscore and a placeholder no hyphen.


def _suffix(name: str) -> str:
    return name.replace("-", "_")


def _key_name(attribute: str) -> str:
    return attribute.removeprefix(MADE).replace("_", "-")


def _revoked_at(item: Item, name: str) -> datetime | None:
    revoked = item.get(REVOKED + _suffix(name))
    return None if revoked is None else moment(revoked["M"]["at"])
