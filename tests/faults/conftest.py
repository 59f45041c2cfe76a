"""Right answers for faults to spoil, and exchanges for them."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Request, Response
from tests.conftest import (
    GUIDE_MARCEL,
    GUIDE_THOMAS,
    NOW,
    PUBLIC_URL,
    WITH_CPTS,
    application,
    slot_search,
    sos_search,
)
from tests.faults.checks import Asked

ADELI = "0359900017"
TEXT_SPECIALTY = "899000000036"
TWO_CPTS = "899000000218"
UNKNOWN = "899000009994"

# A few hours in which every place has some slots: the independent validator is slow.
MIDDAY = {"start": "2026-11-20T11:30:00.000+01:00", "end": "2026-11-20T14:00:00.000+01:00"}
EVENING = {"start": "2026-11-20T18:30:00.000+01:00", "end": "2026-11-20T20:20:00.000+01:00"}

# scenario, flow, path and query
SEARCHES = {
    "r01": ("decouverte", "INT_R01", slot_search([GUIDE_THOMAS, GUIDE_MARCEL, ADELI], **MIDDAY)),
    "r01 of one": ("decouverte", "INT_R01", slot_search([GUIDE_MARCEL], **MIDDAY)),
    "r01 of days": ("decouverte", "INT_R01", slot_search([GUIDE_THOMAS, ADELI, TEXT_SPECIALTY])),
    "r01 of nobody": ("decouverte", "INT_R01", slot_search([UNKNOWN])),
    "r04": (
        "decouverte",
        "INT_R04",
        slot_search(["810002909371", TWO_CPTS, "899000000226"], editor="agenda-cpts", extra=WITH_CPTS, **MIDDAY),
    ),
    "r04 of nobody": ("decouverte", "INT_R04", slot_search([UNKNOWN], editor="agenda-cpts", extra=WITH_CPTS)),
    "sos": ("decouverte", "SOS", sos_search(["334173748400020", "300000101600013"], **EVENING)),
    "sos of nobody": ("decouverte", "SOS", sos_search(["300000102400017"])),
    "guide r01": (
        "exemples-guide",
        "INT_R01",
        slot_search(
            [GUIDE_THOMAS, GUIDE_MARCEL],
            editor="agenda-ps",
            start="2021-11-04T14:19:35.760+00:00",
            end="2021-11-06T23:59:59.999+00:00",
        ),
    ),
    "guide r04": (
        "exemples-guide",
        "INT_R04",
        slot_search(
            ["810002909371"],
            editor="agenda-cpts-2",
            start="2024-06-12T10:00:00.000+02:00",
            end="2024-06-14T23:59:59.999+02:00",
            extra=WITH_CPTS,
        ),
    ),
    "guide sos": (
        "exemples-guide",
        "SOS",
        sos_search(
            ["334173748400020", "392080466300010"],
            start="2023-08-18T08:00:00.000+02:00",
            end="2023-08-20T23:59:59.999+02:00",
        ),
    ),
}


@dataclass(frozen=True)
class Right:
    """A right answer, and the request that it belongs to."""

    asked: Asked
    response: Response

    @property
    def bundle(self) -> dict[str, Any]:
        """What it says."""
        read: dict[str, Any] = orjson.loads(self.response.body)
        return read

    def request(self, seed: str = "", method: str = "GET", body: bytes = b"") -> Request:
        """The request; ``seed`` is that of its draws."""
        url = self.asked.url.removeprefix(PUBLIC_URL)
        draw = random.Random(seed)
        return Request(
            editor=url.split("/")[1],
            flow=self.asked.flow,
            method=method,
            url=url.partition("?")[0] if body else url,
            headers={},
            body=body,
            now=self.asked.now,
            draw=draw,
            wait=lambda _: None,
        )

    def spoilt_by(self, *kinds: Kind, seed: str = "") -> Response:
        """The answer after these kinds, the first one nearest to the editor."""
        request = self.request(seed)
        proceed: Callable[[], Response] = lambda: self.response  # noqa: E731
        for kind in kinds:
            proceed = _applied(kind, request, proceed)
        return proceed()


def _applied(kind: Kind, request: Request, proceed: Callable[[], Response]) -> Callable[[], Response]:
    return lambda: kind.apply(request, proceed)


@pytest.fixture(scope="session")
def rights(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Right]:
    """The right answers to ``SEARCHES``."""
    clients = {}
    for name in {name for name, _, _ in SEARCHES.values()}:
        loaded = scenario.load(scenario.find(name))
        now = loaded.frozen_at or NOW
        clients[name] = application(loaded, Clock(now), tmp_path_factory.mktemp(name)).test_client(), now
    found = {}
    for name, (played, flow, query) in SEARCHES.items():
        client, now = clients[played]
        response = client.get(query)
        assert response.status_code == 200, response.text
        right = Response(200, tuple(response.headers.items()), response.data)
        found[name] = Right(Asked(flow, f"{PUBLIC_URL}{query}", now, orjson.loads(right.body)), right)
    return found
