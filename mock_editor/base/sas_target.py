"""What may be said of the SAS as the target of an editor's notifications: declared once, with defaults and bounds.

Settings say it for all editors, a scenario for one of them; ``notifications/target.py`` makes a Target of both. Nothing
heavy is imported here: the settings are.
"""

from typing import Literal, NamedTuple

TlsVersion = Literal["1.2", "1.3"]


class Seconds(NamedTuple):
    """A time in seconds: its default, what it has to be above, and the longest that makes sense."""

    default: float
    most: int
    above: int = 0


class Count(NamedTuple):
    """A whole number: its default, and both bounds."""

    default: int
    least: int
    most: int


# Until there is a connection, and until there is an answer.
CONNECT_TIMEOUT = Seconds(3, most=300)
ANSWER_TIMEOUT = Seconds(10, most=300)
# Attempts before a notification is given up.
TRIES = Count(12, least=1, most=1000)
# Before the second attempt, then twice as long each time, up to the longest.
FIRST_WAIT = Seconds(1, most=3600)
LONGEST_WAIT = Seconds(300, most=86400)
TLS_MINIMUM: TlsVersion = "1.2"
