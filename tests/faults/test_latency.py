"""Kinds of the family "time": how long they wait, and when."""

from statistics import mean, median, quantiles
from typing import Any

import pytest
from pydantic import ValidationError

from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import latency
from mock_editor.faults.wire import Pace
from tests.faults.acting import RIGHT, Asked, made


def waits(kind: type[Kind], times: int = 2000, **parameters: Any) -> list[float]:
    """The waits of so many exchanges."""
    one = made(kind, **parameters)
    found = []
    for number in range(times):
        asked = Asked(seed=str(number))
        assert asked.response(one) is RIGHT
        [seconds, done] = asked.done
        assert done == "done"
        assert isinstance(seconds, float)
        found.append(seconds)
    return found


def test_a_fixed_latency_is_always_the_same() -> None:
    assert set(waits(latency.Latency, 5, seconds=1.5)) == {1.5}


def test_an_editor_that_hangs_waits_as_long_as_it_may() -> None:
    assert set(waits(latency.Hang, 1)) == {600.0}
    assert set(waits(latency.Hang, 1, most_seconds=3)) == {3.0}


def test_a_uniform_latency_lies_anywhere_between_two() -> None:
    found = waits(latency.LatencyUniform, least_seconds=1, most_seconds=3)
    assert min(found) >= 1
    assert max(found) <= 3
    assert mean(found) == pytest.approx(2, abs=0.05)
    assert quantiles(found, n=4)[0] == pytest.approx(1.5, abs=0.1)


def test_a_normal_latency_has_its_mean_and_deviation() -> None:
    found = waits(latency.LatencyNormal, mean_seconds=5, deviation_seconds=1)
    assert mean(found) == pytest.approx(5, abs=0.1)
    assert sum(4 < one < 6 for one in found) / len(found) == pytest.approx(0.68, abs=0.04)


def test_a_lognormal_latency_has_its_median_and_its_tail() -> None:
    found = waits(latency.LatencyLognormal, median_seconds=0.3, p95_seconds=2)
    assert median(found) == pytest.approx(0.3, rel=0.15)
    assert quantiles(found, n=20)[18] == pytest.approx(2, rel=0.2)


def test_an_exponential_latency_has_its_mean() -> None:
    found = waits(latency.LatencyExponential, mean_seconds=2)
    assert mean(found) == pytest.approx(2, rel=0.1)
    assert median(found) == pytest.approx(2 * 0.693, rel=0.15)


def test_percentiles_are_those_that_are_given() -> None:
    found = waits(latency.LatencyPercentiles, seconds_at={"50": 1, "90": 2, "99": 7})
    cuts = quantiles(found, n=100)
    assert [cuts[24], cuts[49], cuts[69]] == pytest.approx([0.5, 1, 1.5], rel=0.15)
    assert cuts[89] == pytest.approx(2, rel=0.3)
    assert max(found) == 7
    assert set(waits(latency.LatencyPercentiles, 20, seconds_at={"0": 3})) == {3.0}


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (latency.LatencyNormal, {"mean_seconds": 0, "deviation_seconds": 50}),
        (latency.LatencyLognormal, {"median_seconds": 1, "p95_seconds": 100}),
        (latency.LatencyLognormal, {"median_seconds": 5e-324, "p95_seconds": 600}),
        (latency.LatencyExponential, {"mean_seconds": 100}),
        (latency.LatencyPercentiles, {"seconds_at": {"50": 50}}),
    ],
)
def test_no_wait_is_negative_or_above_the_most(kind: type[Kind], parameters: dict[str, Any]) -> None:
    found = waits(kind, 300, most_seconds=2, **parameters)
    assert (min(found) >= 0, max(found)) == (True, 2.0)


@pytest.mark.parametrize(
    "kind", [made(latency.Latency, seconds=2, done_first=True), made(latency.Hang, done_first=True)]
)
def test_the_editor_may_do_what_is_asked_before_the_wait(kind: Kind) -> None:
    asked = Asked()
    assert asked.response(kind) is RIGHT
    assert asked.done[0] == "done"
    assert len(asked.done) == 2


def test_the_same_draw_gives_the_same_wait() -> None:
    assert waits(latency.LatencyUniform, 10, most_seconds=3) == waits(latency.LatencyUniform, 10, most_seconds=3)


@pytest.mark.parametrize(
    ("parameters", "pace"),
    [
        ({"bytes_per_second": 100}, Pace(10, 0.1)),
        ({"bytes_per_second": 5}, Pace(1, 0.2)),
        ({"bytes_per_second": 50_000}, Pace(5000, 0.1)),
        # 1000 bytes, one in 60 s: nothing takes longer than ten minutes.
        ({"bytes_per_second": 1 / 60}, Pace(1, 0.6)),
        ({"seconds": 5}, Pace(100, 0.5)),
        ({"seconds": 5, "pieces": 3}, Pace(334, 5 / 3)),
        ({"seconds": 5, "pieces": 10_000}, Pace(1, 0.005)),
    ],
)
def test_the_pace_of_a_slow_body(parameters: dict[str, Any], pace: Pace) -> None:
    response = Asked().response(made(latency.SlowBody, **parameters))
    assert response.body is RIGHT.body
    assert response.wire.pace
    assert response.wire.pace.size == pace.size
    assert response.wire.pace.seconds == pytest.approx(pace.seconds)


@pytest.mark.parametrize(
    ("kind", "parameters", "wrong"),
    [
        (latency.Latency, {}, "seconds"),
        (latency.Latency, {"seconds": -1}, "seconds"),
        (latency.Latency, {"seconds": 601}, "seconds"),
        (latency.Latency, {"seconds": "nan"}, "seconds"),
        (latency.LatencyUniform, {"least_seconds": 3, "most_seconds": 2}, "most_seconds is below least_seconds"),
        (latency.LatencyLognormal, {"median_seconds": 3, "p95_seconds": 2}, "p95_seconds is below median_seconds"),
        (latency.LatencyLognormal, {"median_seconds": 0, "p95_seconds": 2}, "median_seconds"),
        (latency.LatencyExponential, {"mean_seconds": 0}, "mean_seconds"),
        (latency.LatencyPercentiles, {"seconds_at": {}}, "seconds_at"),
        (latency.LatencyPercentiles, {"seconds_at": {"101": 1}}, "seconds_at"),
        (latency.LatencyPercentiles, {"seconds_at": {"50": 2, "90": 1}}, "a higher percentile has fewer seconds"),
        (latency.Hang, {"most_seconds": 0}, "most_seconds"),
        (latency.SlowBody, {}, "expected either bytes_per_second or seconds"),
        (latency.SlowBody, {"seconds": 1, "bytes_per_second": 1}, "expected either"),
        (latency.SlowBody, {"bytes_per_second": 0}, "bytes_per_second"),
    ],
)
def test_parameters_that_cannot_be(kind: type[Kind], parameters: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        made(kind, **parameters)
