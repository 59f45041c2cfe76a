"""The log, on standard error. Text from a client can neither forge a line of it nor control a terminal."""

import logging
import logging.config
import re
from typing import Any

# Control characters, C1 included, line separators, marks that change the direction of a text, and lone surrogates,
# which no output can encode.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_INDENT = "    "


def visible(text: str) -> str:
    """The text in one line, with escapes for whatever a terminal would obey. JSON stays JSON."""
    return _HARMFUL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    # JSON has no \x9b. Characters below the space never stand in JSON unescaped, and read better like this.
    character = match[0]
    return repr(character)[1:-1] if character < " " else f"\\u{ord(character):04x}"


class Formatter(logging.Formatter):
    """One line for a message. The lines of an exception are indented, so that none looks like a log line."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        message = super().format(_without_exception(record))
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [self.formatStack(record.stack_info)] if record.stack_info else []
        lines = [line for part in parts for line in part.split("\n")]
        return "\n".join([visible(message), *(_INDENT + visible(line) for line in lines)])


def _without_exception(record: logging.LogRecord) -> logging.LogRecord:
    # A new record: its arguments cannot always be copied, and other handlers format the rest in their own way.
    bare = logging.makeLogRecord(record.__dict__)
    bare.exc_info = bare.exc_text = bare.stack_info = None
    return bare


# For dictConfig and for gunicorn's logconfig_dict, whose loggers would otherwise have handlers of their own.
CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": Formatter,
            "format": "%(asctime)s [%(process)d] [%(levelname)s] %(message)s",
            "datefmt": "[%Y-%m-%d %H:%M:%S %z]",
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {name: {"handlers": [], "propagate": True} for name in ("gunicorn.error", "gunicorn.access")},
}


def configure() -> None:
    """Applies this format to everything that this process logs."""
    logging.config.dictConfig(CONFIG)
