"""The log, on standard error: what a client sends makes no line of its own in it, and does nothing to a terminal."""

import logging
import logging.config
import re
from typing import Any

# Control characters, the C1 ones of terminals too, line separators, what turns the direction of a text, and halves of
# a pair, which no output can encode.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_INDENT = "    "


def visible(text: str) -> str:
    """A text in one line, in which what a terminal would obey is written as an escape; JSON stays JSON."""
    return _HARMFUL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    # JSON has no \x9b; what is below is never in it as it is, and reads better so.
    character = found[0]
    return repr(character)[1:-1] if character < " " else f"\\u{ord(character):04x}"


class Formatter(logging.Formatter):
    """One line for a message. What follows of an exception is indented: it begins like no line of the log."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record."""
        message = super().format(_without_exception(record))
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [self.formatStack(record.stack_info)] if record.stack_info else []
        lines = [line for part in parts for line in part.split("\n")]
        return "\n".join([visible(message), *(_INDENT + visible(line) for line in lines)])


def _without_exception(record: logging.LogRecord) -> logging.LogRecord:
    # As it is: its arguments may not be copied, and other handlers have their own idea of the rest.
    bare = logging.makeLogRecord(record.__dict__)
    bare.exc_info = bare.exc_text = bare.stack_info = None
    return bare


# For dictConfig, and as gunicorn's logconfig_dict: its own loggers have handlers of their own otherwise.
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
    """Has everything that this process logs come out so."""
    logging.config.dictConfig(CONFIG)
