"""The log of a server: one JSON object a line on the standard error, or a line for people."""

import json
import logging
import sys
from typing import Any

from manara import clock
from manara.secret import masked


class JsonLines(logging.Formatter):
    """One JSON object a line: when, how grave, what, and the request that it is about."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": clock.stamp(clock.now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": masked(record.getMessage()),
            **getattr(record, "request", {}),
        }
        if record.exc_info:
            told["trace"] = masked(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


class Lines(logging.Formatter):
    """One line for people: the time, what was asked and how it was answered."""

    def format(self, record: logging.LogRecord) -> str:
        told = getattr(record, "request", {})
        at = f"{clock.now():%H:%M:%S}"
        if record.getMessage() == "request" and "status" in told:
            line = f"{at} {told['status']} {told['method']:<6} {told['path']} {told['ms']} ms"
        else:
            line = f"{at} {record.levelname.lower()} {masked(record.getMessage())} {told.get('path', '')}".rstrip()
        return f"{line}\n{masked(self.formatException(record.exc_info))}" if record.exc_info else line


def start_log(*, as_json: bool, requests: bool) -> None:
    """Let the server's log go to the standard error; `requests` says whether each request gets a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else Lines())
    root = logging.getLogger("manara")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(logging.INFO if requests else logging.WARNING)
    logging.getLogger("uvicorn.error").handlers[:] = [handler]
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
