from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_editor.base.data import communes
from mock_editor.calendars.identifiers import is_assigned, luhn_digit, phone
from mock_editor.calendars.model import Booking, Calendar, Place, Plan, Practitioner
from mock_editor.calendars.people import (
    LARGEST_GROUP,
    MOST_GROUPS,
    ComputedDirectory,
    Group,
    GroupDescription,
    NumberSpace,
    zone_of,
)

EMPTY = Plan((), {}, (), Booking(timedelta(), timedelta(), overnight=False))


def description(name: str, count: int, **changes: object) -> GroupDescription:
    values: dict[str, object] = {
        "departments": ("33", "974"),
        "specialties": ("SM54",),
        "plans": (EMPTY,),
        "two_places": 0.3,
        "without_phone": 0.2,
    }
    return GroupDescription(name=name, count=count, **(values | changes))  # type: ignore[arg-type]


def directory(*groups: tuple[str, int], seed: str = "s", listed: Sequence[Practitioner] = ()) -> ComputedDirectory:
    numbers = NumberSpace(seed)
    made = [Group(description(name, count), f"{seed}:editor", numbers) for name, count in groups]
    return ComputedDirectory(listed, made, numbers)


def test_everybody_is_found_by_the_national_identifier() -> None:
    people = directory(("bordeaux", 300), ("rennes", 200))
    found = list(people)
    assert len(found) == len(people) == 500
    assert len({person.id for person in found}) == 500
    assert all(people.find(person.id) == person for person in found)


def test_a_million_people_are_found_without_being_made() -> None:
    numbers = NumberSpace("s")
    group = Group(description("all", LARGEST_GROUP), "s:editor", numbers)
    people = ComputedDirectory([], [group], numbers)
    last = group.practitioner(LARGEST_GROUP - 1)
    assert people.find(last.id) == last


def test_a_new_group_changes_nobody() -> None:
    before = {person.id: person for person in directory(("bordeaux", 50))}
    after = directory(("arcachon", 20), ("bordeaux", 60))
    assert all(after.find(identifier) == person for identifier, person in before.items())


def test_another_seed_gives_other_people() -> None:
    assert {person.id for person in directory(("b", 50))}.isdisjoint(
        person.id for person in directory(("b", 50), seed="t")
    )


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "8",
        "810100050075",
        "899000000010",
        "0359900017",
        "8999999999999",
        "899\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660",
        "abc",
        "3456780581/11242343",
    ],
)
def test_a_stranger_is_not_found(identifier: str) -> None:
    assert directory(("b", 5)).find(identifier) is None


def test_a_wrong_check_digit_is_a_stranger() -> None:
    people = directory(("b", 5))
    person = next(iter(people))
    wrong = person.id[:-1] + str((int(person.id[-1]) + 1) % 10)
    assert people.find(wrong) is None


def test_one_written_out_stands_before_a_computed_one() -> None:
    computed = next(iter(directory(("b", 5))))
    calendar = Calendar(f"{computed.id}-1", communes()["33"][0].zone, EMPTY, "s", "s")
    place = Place("1", "1810004421", "1", "1 rue", "33000", "BORDEAUX", None, calendar)
    written = Practitioner(computed.id, "ÉCRIT", None, (), (place,))
    people = directory(("b", 5), listed=[written])
    assert people.find(computed.id) is written
    assert [person.family for person in people].count("ÉCRIT") == 1
    assert len({person.id for person in people}) == len(list(people))


def test_generated_numbers_carry_their_check_digits() -> None:
    kinds = set()
    for person in directory(("b", 200)):
        assert person.id[:3] == "899"
        assert person.id[-1] == luhn_digit(person.id[1:-1])
        for place in person.places:
            kind, number = place.structure_id[0], place.structure_id[1:]
            kinds.add(kind)
            if kind == "3":
                assert number[8] == luhn_digit(number[:8])
                assert number[13] == luhn_digit(number[:13])
            assert len(number) == {"1": 9, "3": 14, "4": 14}[kind]
    assert kinds == {"1", "3", "4"}


def test_phones_are_of_ranges_that_are_given_out_or_of_fiction_in_every_department() -> None:
    for department, known in communes().items():
        codes = {"971": "+590", "972": "+596", "973": "+594", "974": "+262", "976": "+262"}
        for commune in known:
            for last in ("0000", "4321", "9999"):
                number = f"{commune.phone_start}{last}"
                assert is_assigned(number), (department, number)
                # As it would be read where somebody has written it down.
                assert phone(number) == phone(f"0{number[-9:]}") == number
                assert number.startswith(codes.get(department, "+33"))


def test_people_live_where_the_group_says() -> None:
    people = list(directory(("b", 100)))
    places = [place for person in people for place in person.places]
    assert {place.postal_code[:2] for place in places} == {"33", "97"}
    assert all(place.phone is None or place.phone[:3] in ("+33", "+26") for place in places)
    assert any(place.phone is None for place in places)
    assert any(len(person.places) == 2 for person in people)
    assert {str(place.calendar.zone) for place in places} == {"Europe/Paris", "Indian/Reunion"}


def test_overseas_postal_codes_have_their_zone() -> None:
    assert str(zone_of("97400")) == "Indian/Reunion"
    assert zone_of("33000") is None
    assert zone_of("97500") is None


def test_too_many_groups_are_refused() -> None:
    numbers = NumberSpace("s")
    for number in range(MOST_GROUPS):
        numbers.block(f"g{number}")
    with pytest.raises(ValueError, match="at most"):
        numbers.block("one more")


@given(seed=st.text(max_size=8), block=st.integers(0, 99), number=st.integers(0, LARGEST_GROUP - 1))
def test_an_rpps_leads_back_to_its_person(seed: str, block: int, number: int) -> None:
    numbers = NumberSpace(seed)
    rpps = numbers.rpps(block, number)
    assert len(rpps) == 11
    assert numbers.locate(f"8{rpps}") == (block, number)
