"""A request for kinds to act on, with what they asked of it."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Request, Response

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
RIGHT = Response(200, (("Content-Type", "application/fhir+json"), ("Content-Length", "1000")), b"x" * 1000)


class Asked:
    """One request ``seconds`` after midnight. ``done`` tells in which order it was waited for and carried out."""

    def __init__(self, *, flow: str = "INT_R01", seconds: float = 0, seed: str = "", tallied: int = 1) -> None:
        self.done: list[float | str] = []
        self.request = Request(
            editor="e", flow=flow, method="GET", url="/e/fhir/Slot", headers={}, body=b"",
            now=MIDNIGHT + timedelta(seconds=seconds), draw=random.Random(seed),
            wait=self.done.append, tally=lambda _: tallied,
        )  # fmt: skip

    def proceed(self) -> Response:
        self.done.append("done")
        return RIGHT

    def response(self, kind: Kind) -> Response:
        return kind.apply(self.request, self.proceed)


def made(kind: type[Kind], **parameters: Any) -> Kind:
    return kind.model_validate(parameters)
