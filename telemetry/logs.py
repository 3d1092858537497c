"""Log lines, as text or as JSON objects: one format for our own loggers and those of the libraries.

What a line may hold: who wrote it, what happened, and the id of the request. What it may not, unless the level is
`debug`: stack traces and the messages of exceptions, because both may quote the text that a caller sent.
"""

import logging
import sys
from contextvars import ContextVar
from copy import copy
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TextIO, TypeAlias

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

LogFormat: TypeAlias = Literal["text", "json"]

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered: it stands on every line that is written meanwhile."""

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FIELDS = ("asctime", "levelname", "name", "message")
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}
_UVICORN_COLORS = "color_message"


def configure_logging(level: str, log_format: LogFormat, stream: TextIO | None = None) -> None:
    """Write what is at least as severe as `level`, of every logger, to `stream`, or standard error."""
    with_traces = level.upper() == "DEBUG"
    lines = logging.StreamHandler(stream or sys.stderr)
    lines.setFormatter(JsonLines(with_traces) if log_format == "json" else TextLines(with_traces))
    logging.basicConfig(level=level.upper(), handlers=[lines], force=True)


class TextLines(logging.Formatter):
    """Lines for people; what happened is followed by the fault and the request's id."""

    def __init__(self, with_traces: bool) -> None:
        super().__init__(_TEXT)
        self._with_traces = with_traces

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; with a trace it goes on over several."""
        return super().format(_as_written(record, self._with_traces))

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the first line."""
        notes = [f"[{name} {vars(record)[name]}]" for name in ("error", "request_id") if name in vars(record)]
        return " ".join([super().formatMessage(record), *notes])


class JsonLines(JsonFormatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, and whatever `extra` gives."""

    def __init__(self, with_traces: bool) -> None:
        super().__init__(
            _FIELDS,
            rename_fields=_NAMES,
            reserved_attrs=[*RESERVED_ATTRS, _UVICORN_COLORS],
            json_ensure_ascii=False,
        )
        self._with_traces = with_traces

    def format(self, record: logging.LogRecord) -> str:
        """Return the object."""
        return super().format(_as_written(record, self._with_traces))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return when it happened, to the millisecond."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def place_of(error: BaseException) -> str:
    """Return the type of an exception and the line that raised it, as in `ValueError at gateway.link:120`."""
    trace: TracebackType | None = error.__traceback__
    if trace is None:
        return type(error).__name__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{type(error).__name__} at {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"


def _as_written(record: logging.LogRecord, with_traces: bool) -> logging.LogRecord:
    """Return the record with the request's id, and without what may quote a text unless traces are wanted."""
    # A copy: other writers of the same record, a test's for one, must not see what we make of it.
    written = copy(record)
    bound = request_id.get()
    if bound is not None:
        written.request_id = bound
    if not with_traces:
        _make_discreet(written)
    return written


def _make_discreet(record: logging.LogRecord) -> None:
    """Leave of a fault its type and its place."""
    if not (record.exc_info or record.stack_info or record.name == "asyncio"):
        return
    # Below the first line libraries repeat the exception, and asyncio the task that raised it.
    record.msg, record.args = record.getMessage().partition("\n")[0], ()
    if record.exc_info and record.exc_info[1] is not None:
        record.error = place_of(record.exc_info[1])
    record.exc_info = record.exc_text = record.stack_info = None
