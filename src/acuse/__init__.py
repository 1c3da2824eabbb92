"""acuse: a durable POST intake for mass data processing.

What an author of actions needs; everything else is reached over HTTP or the command line.
"""

from acuse.application.actions import Action, Run, this_run
from acuse.domain.backoff import Backoff
from acuse.domain.errors import AcuseError, Fail, Retry
from acuse.domain.policy import Policy

__all__ = ["Action", "AcuseError", "Backoff", "Fail", "Policy", "Retry", "Run", "this_run"]
