"""Whose calendars there are, as people look for them."""

import pytest

from mock_editor.base.listings import EVERYTHING, Page
from mock_editor.calendars.model import Association, Editor, Practitioner
from mock_editor.calendars.owners import OwnerFilter, owners
from mock_editor.scenario import LoadedScenario

GUIDE_THOMAS, HOUSE = "810100050075", "334173748400020"


@pytest.fixture
def editor(played: LoadedScenario) -> Editor:
    return next(one for one in played.editors if one.slug == "agenda-ville")


@pytest.fixture
def sos(played: LoadedScenario) -> Editor:
    return next(one for one in played.editors if one.slug == "agenda-sos")


ANYBODY = OwnerFilter()


def found(editor: Editor, wanted: OwnerFilter = ANYBODY, page: Page = EVERYTHING) -> list[str]:
    return [one.id for one in owners(editor, wanted, page).items]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_are_the_list_in_pieces(editor: Editor, limit: int) -> None:
    everybody = [one.id for one in editor.directory]
    pieces: list[str] = []
    more, number = True, 1
    while more:
        items, more = owners(editor, OwnerFilter(), Page(limit, number))
        assert more == (number * limit < len(everybody))
        pieces += [one.id for one in items]
        number += 1
    assert pieces == everybody == found(editor)
    assert found(editor, page=Page(limit, number)) == []


def test_people_are_made_from_any_position_on(editor: Editor) -> None:
    made = [next(editor.directory.starting(position)).id for position in (0, len(editor.directory) - 1)]
    assert made == [one.id for one in editor.directory][:: len(editor.directory) - 1]


def test_associations_come_first_and_may_be_left_out(sos: Editor) -> None:
    both = found(sos)
    associations = found(sos, OwnerFilter(Association))
    assert associations == list(sos.associations)
    assert both == associations + found(sos, OwnerFilter(Practitioner))


@pytest.mark.parametrize("text", ["10100050075", "810100050075", "8 1010005 0075", "810100050075-1"])
def test_a_practitioner_is_found_by_identifier(editor: Editor, text: str) -> None:
    assert found(editor, OwnerFilter(text=text)) == [GUIDE_THOMAS]
    assert found(editor, OwnerFilter(Association, text=text)) == []
    assert found(editor, OwnerFilter(id=GUIDE_THOMAS)) == [GUIDE_THOMAS]


def test_an_association_is_found_by_siret(sos: Editor) -> None:
    assert found(sos, OwnerFilter(text=HOUSE[1:])) == found(sos, OwnerFilter(text=HOUSE)) == [HOUSE]


def test_names_and_cities_are_found_in_any_case_and_accents(editor: Editor) -> None:
    one = next(one for one in editor.directory if one.given)
    text = f"{one.places[0].city} {one.family}"
    assert one.id in found(editor, OwnerFilter(text=text.lower()))
    assert one.id in found(editor, OwnerFilter(text=text.upper()))
    assert found(editor, OwnerFilter(text=f"{text} zzz")) == []
    assert found(editor, OwnerFilter(id=one.id, text=text.lower())) == [one.id]
    assert found(editor, OwnerFilter(id=one.id, text="zzz")) == []
