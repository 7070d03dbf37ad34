"""The service's log: a line for every request, problem and job, on standard error, as text or JSON.

It never holds media, contents of files, keys, headers or query strings. Line breaks in what a client sends are
escaped, so no client can forge a line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from app.telemetry.current_request import CURRENT

LogFormat = Literal["text", "json"]
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
MOST_CHARACTERS = 2000  # of a message: a client's file name may be long


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Return the `extra` of a log call: what happened, and its fields."""
    return {"event": name, "fields": fields}


def configure_logs(form: LogFormat, stream: TextIO | None = None) -> None:
    """Send the log of this process to standard error, in one format."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("echolens", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it quotes bytes of a malformed body
    logging.captureWarnings(True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not shown
    vars(logging)["_srcfile"] = None  # nor is the line that logs, which is else looked for each time (Logging HOWTO)


class JsonLines(logging.Formatter):
    """Write a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, in ASCII."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
            "message": record.getMessage()[:MOST_CHARACTERS],
        }
        if (request_id := _request_id()) is not None:
            line["request_id"] = request_id
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextLines(logging.Formatter):
    """Write a record as text: time, level, message, the request's id; a traceback is indented below."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and those of a traceback."""
        message = record.getMessage()[:MOST_CHARACTERS]
        request_id = _request_id()
        tail = "" if request_id is None else f" [{request_id}]"
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        lines = [f"{at} {record.levelname} {message}{tail}"]
        if record.exc_info:
            lines += [f"    {line}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(UNPRINTABLE.sub(_escaped, line) for line in lines)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop the server's copy of errors that `RequestLog` has logged with the request's id."""
    return not (record.name == "uvicorn.error" and str(record.msg).startswith("Exception in ASGI application"))


def _request_id() -> str | None:
    exchange = CURRENT.get()
    return None if exchange is None else exchange.request_id


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")
