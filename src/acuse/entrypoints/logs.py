"""Where the log of a process goes, and what every line of it says."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING

from acuse.adapters.text_log import TextFormatter
from acuse.domain.subject import subject

if TYPE_CHECKING:
    from types import TracebackType

    from acuse.config import Settings
    from acuse.domain.task import Task

log = logging.getLogger(__name__)


class UnderWay(logging.Filter):
    """Puts the run under way into every line of its process, also into those of threads that the run has started."""

    task: Task | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """True: the line is written, and says which request it is about."""
        if self.task is not None:
            vars(record).update(subject(self.task.id, self.task.part, self.task.traceparent))
        return True


def configure_logging(settings: Settings, *filters: logging.Filter) -> None:
    """Logs go to standard error, with what `extra` adds: as text, one line each, or as JSON, one object each.

    In JSON it is so with warnings, too, and with what ends a thread or the process.
    """
    if settings.log_format == "json":
        from acuse.adapters.json_log import JsonFormatter, WholeLines  # noqa: PLC0415  (text needs no structlog)

        handler: logging.Handler = WholeLines()
        handler.setFormatter(JsonFormatter())
        logging.captureWarnings(True)
        sys.excepthook = _ended
        threading.excepthook = _thread_ended
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(TextFormatter())
    for one in filters:
        handler.addFilter(one)
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for library in ("botocore", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)  # Below that they log credentials and what clients sent.


def _ended(type_: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log.critical("process ended by an error", exc_info=(type_, error, trace))


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        name = ended.thread.name if ended.thread is not None else None
        shown = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        log.error("thread ended by an error", extra={"thread_name": name}, exc_info=shown)
