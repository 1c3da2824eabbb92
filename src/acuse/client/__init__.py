"""A client that sends again, safely, until it knows: see Client."""

from acuse.client.answer import Item, Submitted, Totals
from acuse.client.client import Client
from acuse.client.errors import Busy, Conflict, Refused, Unreachable
from acuse.client.problem import Problem
from acuse.client.request import Request
from acuse.client.signer import Signer

__all__ = [
    "Busy",
    "Client",
    "Conflict",
    "Item",
    "Problem",
    "Refused",
    "Request",
    "Signer",
    "Submitted",
    "Totals",
    "Unreachable",
]
