"""Lines of the log as people read them."""

from __future__ import annotations

import logging

FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class TextFormatter(logging.Formatter):
    """One line, with what `extra` adds; below it, the traceback."""

    def __init__(self) -> None:
        """Nothing is to be chosen."""
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the name is logging's)
        """The line, without the traceback."""
        extra = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        return super().formatMessage(record) + "".join(
            f" {name}={_on_one_line(value)}" for name, value in extra.items()
        )


def _on_one_line(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else repr(text)
