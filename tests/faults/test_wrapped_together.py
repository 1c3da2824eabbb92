"""With nothing planned the wrappers change nothing: they pass what every store passes."""

from tests.contract.test_together import *  # noqa: F403  (the same tests, with the backends of this folder)
