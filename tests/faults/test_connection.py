"""Kinds of the family "connection": what they want sent, and how it ends. What clients see is in test_wire.py."""

from typing import Any

import pytest
from pydantic import ValidationError

from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds import connection
from mock_editor.faults.kinds.latency import SlowBody
from mock_editor.faults.messages import CloseConnection
from mock_editor.faults.wire import Cut, Pace, Wire
from tests.faults.acting import RIGHT, Asked, made


@pytest.mark.parametrize(
    ("kind", "parameters", "reset", "size"),
    [
        (connection.ConnectionClosed, {}, False, 0),
        (connection.ConnectionReset, {}, True, 0),
        (connection.Garbage, {"size": 77}, False, 77),
    ],
)
@pytest.mark.parametrize("done_first", [False, True])
def test_there_is_no_answer(
    kind: type[Kind], parameters: dict[str, Any], reset: bool, size: int, done_first: bool
) -> None:
    asked = Asked()
    with pytest.raises(CloseConnection) as ended:
        asked.response(made(kind, done_first=done_first, **parameters))
    assert (ended.value.reset, len(ended.value.sent)) == (reset, size)
    assert asked.done == (["done"] if done_first else [])


@pytest.mark.parametrize(
    ("kind", "parameters", "cut"),
    [
        (connection.ConnectionReset, {"where": "headers"}, Cut(in_head=True, share=0.5, reset=True)),
        (connection.ConnectionReset, {"where": "body", "share": 0.9}, Cut(share=0.9, reset=True)),
        (connection.TruncatedBody, {"share": 0}, Cut(share=0)),
        (connection.MalformedChunk, {}, Cut(last=b"not-a-size\r\nthis is no chunk\r\n", chunked=True)),
    ],
)
def test_the_right_answer_is_cut(kind: type[Kind], parameters: dict[str, Any], cut: Cut) -> None:
    response = Asked().response(made(kind, **parameters))
    assert (response.status, response.headers, response.body) == (RIGHT.status, RIGHT.headers, RIGHT.body)
    assert response.wire == Wire(cut=cut)


def test_a_body_may_be_slow_and_cut() -> None:
    asked = Asked()
    slow = made(SlowBody, bytes_per_second=100)
    response = slow.apply(asked.request, lambda: asked.response(made(connection.TruncatedBody)))
    assert response.wire == Wire(pace=Pace(10, 0.1), cut=Cut())


def test_garbage_is_drawn() -> None:
    sent = set()
    for seed in ("a", "a", "b"):
        with pytest.raises(CloseConnection) as ended:
            Asked(seed=seed).response(made(connection.Garbage))
        sent.add(ended.value.sent)
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (connection.ConnectionReset, {"where": "middle"}),
        (connection.ConnectionReset, {"share": 1}),
        (connection.TruncatedBody, {"share": 1}),
        (connection.Garbage, {"size": 0}),
    ],
)
def test_parameters_that_cannot_be(kind: type[Kind], parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(parameters))):
        made(kind, **parameters)
