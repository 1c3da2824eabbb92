"""The clients' ledger against what the service has: what was lost, changed, ended twice. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tests.torture.requests import expected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.torture.ledger import Acknowledged
    from tests.torture.requests import Members
    from tests.torture.subject import Kept


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """Ids, by what is wrong with them."""

    lost: tuple[str, ...]
    changed: tuple[str, ...]
    unended: tuple[str, ...]
    ended_twice: tuple[str, ...]
    ended_wrongly: tuple[str, ...]
    parts_amiss: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def all_well(self) -> bool:
        """Whether nothing was found."""
        return not any(msgspec.structs.astuple(self))


def audit(sent: Mapping[str, Members], acknowledged: Mapping[str, Acknowledged], kept: Mapping[str, Kept]) -> Findings:
    """What was acknowledged must be there and have ended once, as foretold; what else is there must be whole as well.

    A request that was sent and not acknowledged may be there or not: but if it is, then as it was sent.
    """
    known = {id_: one for id_, one in kept.items() if id_ in sent}
    return Findings(
        lost=tuple(id_ for id_ in acknowledged if id_ not in kept),
        changed=tuple(id_ for id_, one in known.items() if one.members != sent[id_]),
        unended=tuple(f"{id_}: {sent[id_]['action']}" for id_, one in known.items() if not one.endings),
        ended_twice=tuple(id_ for id_, one in known.items() if one.endings > 1),
        ended_wrongly=tuple(id_ for id_, one in known.items() if one.endings and not _is_as_foretold(sent[id_], one)),
        parts_amiss=tuple(f"{id_}: {what}" for id_, one in kept.items() for what in one.amiss),
        unknown=tuple(id_ for id_ in kept if id_ not in sent),
    )


def _is_as_foretold(members: Members, one: Kept) -> bool:
    foretold = expected(members)
    return (one.status, one.result) == (foretold.status, foretold.result)
