"""Searches that would find very much: bounded in slots, bytes and work, whatever the scenario and however many ask."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.base.fhir import Resource
from mock_editor.calendars import generator
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.calendars.model import Place, Practitioner, SlotShape, Window
from mock_editor.scenario import Script
from mock_editor.search.bundle import AskedWindow, EntryWriter
from mock_editor.search.resources import SlotTimes, slot_of_practitioner
from mock_editor.search.slot_searches import INT_R01, SlotSearch
from tests.conftest import NOW, PUBLIC_URL, application, json_of, slot_search, sos_search

TEN_YEARS = """
name: gros
title: Gros
seed: gros
calendars:
  tout:
    slot_minutes: 5
    horizon_days: 3660
    week: [{days: [mon, tue, wed, thu, fri, sat, sun], hours: ["00:00-24:00"]}]
editors:
  - slug: agenda-ville
    name: Agenda
    identifier_system: urn:oid:1.2.3
    groups: [{name: tous, count: 30, departments: ["31"], calendars: [tout]}]
    associations:
      - siret: "00000101600013"
        name: Association
        places: [{name: Centre, address: {line: 1 rue, postal_code: "31000", city: TOULOUSE}, calendar: tout}]
"""
LATER = "2099-01-01"


@pytest.fixture(scope="module")
def large() -> scenario.LoadedScenario:
    return scenario.play(Script("gros.yaml", TEN_YEARS, file=False))


def people(played: scenario.LoadedScenario, count: int) -> list[str]:
    return [person.id for person in played.editors[0].directory][:count]


def searches(played: scenario.LoadedScenario, end: str) -> list[str]:
    sos = [*played.editors[0].associations]
    return [
        slot_search(people(played, 1), end=end),
        slot_search(people(played, 25), end=end),
        sos_search(sos, end=end, editor="agenda-ville"),
    ]


def refusal(answer: Any) -> str:
    assert answer.status_code == 400, answer.text[:300]
    [issue] = answer.json["issue"]
    assert issue["code"] == "too-costly"
    return str(issue["diagnostics"])


def test_ten_years_are_refused_without_being_rendered(
    large: scenario.LoadedScenario, clock: Clock, tmp_path: Path
) -> None:
    client = application(large, clock, tmp_path).test_client()
    generator._layout.cache_clear()
    for query in searches(large, LATER):
        for _ in range(2):
            assert "more than 25000 slots" in refusal(client.get(query))
            assert client.head(query).status_code == 400
    # About 90 days have as many, of 3660; they share a plan and a zone.
    assert generator._layout.cache_info().misses < 200
    # What the SAS asks for is answered.
    usual = client.get(slot_search(people(large, 25), end="2026-11-22T23:59:59.999+01:00"))
    assert usual.status_code == 200
    assert json_of(usual)["total"] == 25 * 12 * (16 + 24 + 24)


@pytest.mark.parametrize("as_summary", [False, True])
def test_a_search_has_so_many_slots_and_no_more(
    large: scenario.LoadedScenario, clock: Clock, tmp_path: Path, as_summary: bool
) -> None:
    client = application(large, clock, tmp_path, search_slots="192").test_client()
    extra = "&_summary=count" if as_summary else ""
    # From 08:00 to midnight there are 192.
    one = people(large, 1)
    whole = client.get(slot_search(one, end="2026-11-20", extra=extra))
    assert (whole.status_code, json_of(whole)["total"]) == (200, 192)
    for asked, end in ((one, "2026-11-21T00:00:00.000+01:00"), (people(large, 2), "2026-11-20")):
        assert "more than 192 slots" in refusal(client.get(slot_search(asked, end=end, extra=extra)))
    # Another window over the same days, which are known by then.
    assert (
        json_of(client.get(slot_search(one, start="2026-11-20T20:00:00+01:00", end="2026-11-21T10:00:00+01:00")))[
            "total"
        ]
        == 12 * (4 + 10) + 1
    )


def test_a_search_has_so_many_bytes_and_no_more(large: scenario.LoadedScenario, clock: Clock, tmp_path: Path) -> None:
    client = application(large, clock, tmp_path, search_bytes="100000").test_client()
    for query in searches(large, LATER):
        assert "more than 100000 bytes" in refusal(client.get(query))
    few = client.get(slot_search(people(large, 1), end="2026-11-20T12:00:00+01:00"))
    assert few.status_code == 200
    assert "more than 100000 bytes" in refusal(client.get(slot_search(people(large, 1), end="2026-11-20")))


@pytest.mark.parametrize("fails", [False, True])
def test_what_several_ask_at_once_is_rendered_once(large: scenario.LoadedScenario, clock: Clock, fails: bool) -> None:
    editor = large.editors[0]
    located = [(person, place) for person in list(editor.directory)[:2] for place in person.places]
    writer = EntryWriter(editor, PUBLIC_URL, Catalogue(large.editors, clock).taken)
    window = AskedWindow(Window(NOW, NOW + timedelta(days=1)), NOW)
    described: Counter[str] = Counter()
    begun, go_on = threading.Semaphore(0), threading.Event()

    def describe(_: SlotSearch, person: Practitioner, place: Place, shape: SlotShape, times: SlotTimes) -> Resource:
        described[place.calendar.key] += 1
        begun.release()
        assert go_on.wait(60)
        if fails and described.total() == 1:
            raise KeyError("the first one fails")
        return slot_of_practitioner(INT_R01, PUBLIC_URL, person, place, shape, times)

    def ask() -> bytes:
        return b"".join(writer.slots(INT_R01, "match", window, located, describe).entries)

    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(ask) for _ in range(12)]
        assert begun.acquire(timeout=60)
        # Others would describe it, too, if they did not wait; whoever comes later finds it.
        begun.acquire(timeout=0.2)
        go_on.set()
        wait(asked, 60)
    failed = [one for one in asked if one.exception()]
    assert len(failed) == fails
    assert len({one.result() for one in asked if one not in failed}) == 1
    assert sorted(described.values()) == ([1, 2] if fails else [1, 1])
