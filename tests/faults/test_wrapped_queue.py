"""With nothing planned the wrappers change nothing: they pass what every queue passes."""

from tests.contract.test_queue import *  # noqa: F403  (the same tests, with the backends of this folder)
