"""The receiver of a world, with everything its endpoints need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mock_editor.base.waits import Waits
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform.directory import Directory
from mock_editor.bench.receiver.received import Inbox


@dataclass(frozen=True, slots=True)
class Receiver:
    """What the endpoints and pages of a world need. A client has ``body_timeout`` seconds to send a body.

    Messages to an LRM are made with ``directory`` and ``people``, the regulators. ``base`` is the URL of the FHIR base.
    """

    inbox: Inbox
    base: str
    now: Callable[[], datetime]
    waits: Waits
    directory: Directory
    people: Callable[[], Sequence[Person]]
    body_timeout: float
