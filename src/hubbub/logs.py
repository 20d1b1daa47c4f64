"""Logs that hold no secret and that nobody can write lines into.

`redact` is for every process of ours, whoever configures its logging: uvicorn prints the path of a
WebSocket with its query, token included, even without an access log. `configure` is the command
line's own choice of how lines look.
"""

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

SERVER_LOGGERS = ("uvicorn.error", "uvicorn.access")

_TARGET = re.compile(r"(?:/|https?:|wss?:)", re.IGNORECASE)
_QUERY = re.compile(r"(\?|%3f)[^ \t\r\n]+", re.IGNORECASE)
_WHOLE_QUERY = re.compile(r"(\?|%3f).*", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"eyJ[\w.+/=%~-]{5,}|hb[rtv]_[\w-]{8,}", re.ASCII)
_INVISIBLE = r"\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL = re.compile(rf"[\x00-\x1f{_INVISIBLE}]")
_CONTROL_BUT_LINES = re.compile(rf"[\x00-\x09\x0b-\x1f{_INVISIBLE}]")
_SEEN = "_hubbub_clean"


def redact() -> None:
    """Keeps tokens, tickets and query strings out of uvicorn's lines, out of those of `configure`
    and out of those that Python prints when nobody has configured anything. Doing it again changes
    nothing, but sees to handlers that are new."""
    loggers = [logging.getLogger(name) for name in SERVER_LOGGERS]
    handlers = [h for h in logging.getLogger().handlers if isinstance(h, _Handler)]
    last = [logging.lastResort] if logging.lastResort is not None else []
    for filterer in (*loggers, *handlers, *last):
        if not any(isinstance(found, _Redaction) for found in filterer.filters):
            filterer.addFilter(_Redaction())


def configure(level: str, format: str | None) -> None:
    """Sends all logs of this process to the standard error stream, redacted, from `level` up.

    `format` is `console` or `json`; None means the console's when that stream is a terminal. Only
    a terminal gets colours. Doing it again replaces what was done before. uvicorn must be run with
    `log_config=None`.
    """
    stream = sys.stderr
    terminal = stream.isatty()
    console = terminal if format is None else format == "console"
    handler = _Handler(stream)
    handler.setFormatter(_formatter(console, colours=terminal))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in ("uvicorn", *SERVER_LOGGERS):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    redact()


def clean(text: str) -> str:
    """`text` on one line, without query strings and without anything like a token of ours."""
    whole = _WHOLE_QUERY if _TARGET.match(text) else _QUERY
    return _escape(_SECRET.sub("[secret]", whole.sub("", text)))


class _Handler(logging.StreamHandler[TextIO]):
    """The handler that `configure` installs, to be told from anybody else's."""


class _Redaction(logging.Filter):
    """Cleans what a record holds of the world outside: its arguments, its message when there are
    none, and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.__dict__.setdefault(_SEEN, False):
            return True
        record.__dict__[_SEEN] = True
        if isinstance(record.args, Mapping):
            record.args = {name: _cleaned(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_cleaned(value) for value in record.args)
        else:
            text = str(record.msg)
            line = text.rstrip("\n")
            record.msg = clean(line) + text[len(line) :]
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = _clean_traceback(record.exc_text)
        return True


class _Cleaned:
    """Stands for an argument that is no string, and prints as it does, cleaned."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return clean(str(self._value))

    def __repr__(self) -> str:
        return clean(repr(self._value))


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, (int, float, _Cleaned)):
        return value
    return _Cleaned(value)


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def _clean_traceback(text: str) -> str:
    """A traceback keeps its lines, each set in, so that none can pass for a line of the log."""
    text = _SECRET.sub("[secret]", _QUERY.sub("", text))
    text = _CONTROL_BUT_LINES.sub(lambda match: ascii(match[0])[1:-1], text)
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _formatter(console: bool, *, colours: bool) -> logging.Formatter:
    renderer: Any = (
        structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _take_traceback,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _take_traceback(
    _: object, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Prints the traceback as the filter left it, never anew, and no empty line before it."""
    record: logging.LogRecord = event["_record"]
    event["event"] = event["event"].rstrip()
    event.pop("exc_info", None)
    if record.exc_text:
        event["exception"] = record.exc_text
    return event
