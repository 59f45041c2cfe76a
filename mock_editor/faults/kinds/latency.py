"""Editors that are slow: answers that come late, never, or bit by bit."""

import math
from dataclasses import replace
from itertools import pairwise
from statistics import NormalDist
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.wire import Pace
from mock_editor.faults.words import DONE_FIRST, French, Label

MOST_SECONDS = 600.0
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
_Positive = Annotated[float, Field(gt=0, le=MOST_SECONDS)]

# Pieces of a slow body leave ten times a second, or less often where that would be less than a byte.
_PIECES_PER_SECOND = 10
_P95 = NormalDist().inv_cdf(0.95)


class _Delay(Kind):
    """The answer comes late."""

    family: ClassVar[str] = "time"

    done_first: Annotated[bool, DONE_FIRST] = Field(
        False,
        description="The editor carries out the request before the wait, though the client may give up; else after it.",
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The right answer, later."""
        if self.done_first:
            response = proceed()
            request.wait(self.drawn(request))
            return response
        request.wait(self.drawn(request))
        return proceed()

    def drawn(self, request: Request) -> float:
        """How many seconds the wait is to take."""
        raise NotImplementedError


class _DrawnDelay(_Delay):
    """A latency that differs from one request to the next."""

    most_seconds: Annotated[_Positive, Label("Au plus", "s")] = Field(
        MOST_SECONDS, description="No wait is longer, whatever is drawn."
    )

    def drawn(self, request: Request) -> float:
        """What is drawn, but neither below zero nor beyond the most."""
        return min(max(self.draw(request), 0.0), self.most_seconds)

    def draw(self, request: Request) -> float:
        """A latency of the distribution."""
        raise NotImplementedError


class Latency(_Delay):
    """The answer comes late, always by the same time."""

    kind: Literal["latency"] = "latency"
    french: ClassVar[French] = French("Retard constant", "Chaque réponse arrive en retard, toujours d’autant.")
    seconds: Annotated[Seconds, Label("Retard", "s", proposed=3)]

    def drawn(self, request: Request) -> float:  # noqa: ARG002 - nothing is drawn
        """Always the same."""
        return self.seconds


class LatencyUniform(_DrawnDelay):
    """The answer comes late; every latency between two is as likely as any other."""

    kind: Literal["latency-uniform"] = "latency-uniform"
    french: ClassVar[French] = French(
        "Retard entre deux bornes", "Chaque réponse arrive en retard, d’une durée tirée au sort entre deux bornes."
    )
    least_seconds: Annotated[Seconds, Label("Au moins", "s")] = 0.0
    most_seconds: Annotated[Seconds, Label("Au plus", "s", proposed=5)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most_seconds < self.least_seconds:
            raise InvalidValueError(
                Code.FAULT_PARAMETER_BELOW, first=self.parameter("most_seconds"), second=self.parameter("least_seconds")
            )
        return self

    def draw(self, request: Request) -> float:
        """Between the two."""
        return request.draw.uniform(self.least_seconds, self.most_seconds)


class LatencyNormal(_DrawnDelay):
    """The answer comes late, mostly by about the mean: two thirds of the time within one standard deviation of it."""

    kind: Literal["latency-normal"] = "latency-normal"
    french: ClassVar[French] = French(
        "Retard autour d’une moyenne",
        "Le retard est le plus souvent proche de la moyenne : deux fois sur trois à moins d’un écart type.",
    )
    mean_seconds: Annotated[Seconds, Label("Moyenne", "s", proposed=3)]
    deviation_seconds: Annotated[Seconds, Label("Écart type", "s", proposed=1)]

    def draw(self, request: Request) -> float:
        """Of a normal distribution."""
        return request.draw.gauss(self.mean_seconds, self.deviation_seconds)


class LatencyLognormal(_DrawnDelay):
    """The answer comes late, as from real servers: mostly near the median, with a long tail."""

    kind: Literal["latency-lognormal"] = "latency-lognormal"
    french: ClassVar[French] = French(
        "Retard réaliste",
        "Le retard est celui d’un vrai serveur : souvent proche de la médiane, parfois bien plus long.",
    )
    median_seconds: Annotated[_Positive, Label("Médiane", "s", "la moitié des réponses arrive avant", proposed=2)] = (
        Field(description="Half of the answers come within this time.")
    )
    p95_seconds: Annotated[_Positive, Label("95 % avant", "s", "95 réponses sur 100 arrivent avant", proposed=6)] = (
        Field(description="95 of 100 answers come within this time.")
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.p95_seconds < self.median_seconds:
            raise InvalidValueError(
                Code.FAULT_PARAMETER_BELOW, first=self.parameter("p95_seconds"), second=self.parameter("median_seconds")
            )
        return self

    def draw(self, request: Request) -> float:
        """Of a lognormal distribution."""
        middle = math.log(self.median_seconds)
        deviation = (math.log(self.p95_seconds) - middle) / _P95
        # Of a wide one, what is drawn may be more than any number.
        return math.exp(min(request.draw.normalvariate(middle, deviation), math.log(2 * MOST_SECONDS)))


class LatencyExponential(_DrawnDelay):
    """The answer comes late: mostly a little, seldom much, with no usual value."""

    kind: Literal["latency-exponential"] = "latency-exponential"
    french: ClassVar[French] = French(
        "Retard rarement long", "Le retard est le plus souvent court, rarement long, sans valeur habituelle."
    )
    mean_seconds: Annotated[_Positive, Label("Moyenne", "s", proposed=2)]

    def draw(self, request: Request) -> float:
        """Of an exponential distribution."""
        return request.draw.expovariate(1 / self.mean_seconds)


class LatencyPercentiles(_DrawnDelay):
    """The answer comes late by percentiles measured elsewhere; between two of them, evenly."""

    kind: Literal["latency-percentiles"] = "latency-percentiles"
    french: ClassVar[French] = French(
        "Retard selon des mesures", "Le retard suit des centiles mesurés ailleurs, par exemple en production."
    )
    seconds_at: Annotated[
        dict[Annotated[float, Field(ge=0, le=100)], Seconds],
        Label("Secondes par centile", hint='en JSON : {"50": 1, "95": 5}', proposed={"50": 1, "95": 5, "99": 12}),
    ] = Field(
        min_length=1,
        max_length=100,
        description="Seconds by percentile, such as 50, 95 and 99.9; percentile 0 is no wait unless given, "
        "and above the highest percentile its value holds.",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if any(later < earlier for earlier, later in pairwise(seconds for _, seconds in self._points())):
            raise InvalidValueError(Code.FAULT_PERCENTILES, parameter=self.parameter("seconds_at"))
        return self

    def _points(self) -> list[tuple[float, float]]:
        return sorted(({0.0: 0.0} | self.seconds_at).items())

    def draw(self, request: Request) -> float:
        """Between the two percentiles around a drawn one."""
        percent = request.draw.uniform(0, 100)
        points = self._points()
        for (low, before), (high, after) in pairwise(points):
            if percent < high:
                return before + (after - before) * (percent - low) / (high - low)
        return points[-1][1]


class Hang(_Delay):
    """No answer comes until the client gives up. A client that waits long enough gets the right answer."""

    kind: Literal["hang"] = "hang"
    french: ClassVar[French] = French(
        "Silence", "Aucune réponse tant que le client attend ; s’il attend assez longtemps, il reçoit la bonne."
    )
    most_seconds: Annotated[_Positive, Label("Silence pendant", "s", "au plus")] = MOST_SECONDS

    def drawn(self, request: Request) -> float:  # noqa: ARG002 - nothing is drawn
        """All the time there is."""
        return self.most_seconds


class SlowBody(Kind):
    """The head of the answer comes at once, its body bit by bit: a time-out for each piece does not help."""

    kind: Literal["slow-body"] = "slow-body"
    french: ClassVar[French] = French(
        "Réponse au compte-gouttes",
        "L’en-tête arrive tout de suite, le contenu morceau par morceau : un délai compté par morceau ne protège pas.",
    )
    family: ClassVar[str] = "time"
    bytes_per_second: Annotated[Annotated[float, Field(gt=0, le=1e9)] | None, Label("Débit", "octets/s")] = None
    seconds: Annotated[
        _Positive | None, Label("Durée totale", "s", "au lieu d’un débit", proposed=10, alternative=True)
    ] = Field(None, description="Instead: how long the whole body takes.")
    pieces: Annotated[int, Label("En morceaux", hint="nombre de morceaux du contenu")] = Field(
        10, ge=1, le=10_000, description="In how many pieces it then comes."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.bytes_per_second is None) == (self.seconds is None):
            raise InvalidValueError(
                Code.FAULT_PARAMETERS_EITHER, first=self.parameter("bytes_per_second"), second=self.parameter("seconds")
            )
        return self

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, with its pace."""
        response = proceed()
        return replace(response, wire=replace(response.wire, pace=self._pace(len(response.body))))

    def _pace(self, size: int) -> Pace:
        if self.seconds is not None:
            pieces = min(self.pieces, max(size, 1))
            return Pace(math.ceil(size / pieces) or 1, self.seconds / pieces)
        rate = self.bytes_per_second or math.inf
        # Nobody waits longer than for everything else.
        rate = max(rate, max(size, 1) / MOST_SECONDS)
        piece = max(math.ceil(rate / _PIECES_PER_SECOND), 1)
        return Pace(piece, piece / rate)
