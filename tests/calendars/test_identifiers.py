import pytest

from mock_editor.calendars.identifiers import (
    PractitionerIdKind,
    StructureIdKind,
    is_assigned,
    luhn_digit,
    phone,
    practitioner_id,
    structure_id,
)


@pytest.mark.parametrize(
    ("kind", "held", "wire"),
    [
        ("rpps", "10100050075", "810100050075"),
        ("rpps", "810100050075", "810100050075"),
        ("rpps", "101 000 500 75", "810100050075"),
        ("adeli", "359900017", "0359900017"),
        ("adeli", "0359900017", "0359900017"),
        ("adeli", "2A9900017", "02A9900017"),
    ],
)
def test_a_practitioner_id_is_prefixed_whatever_the_editor_holds(kind: str, held: str, wire: str) -> None:
    assert practitioner_id(PractitionerIdKind(kind), held) == wire


@pytest.mark.parametrize(
    ("kind", "held", "wire"),
    [
        ("finess", "810004421", "1810004421"),
        ("finess", "1810004421", "1810004421"),
        ("siret", "33417374840002", "333417374840002"),
        ("siret", "333417374840002", "333417374840002"),
        ("rpps_rang", "10100050075001", "410100050075001"),
        ("adeli_rang", "35990001701", "035990001701"),
    ],
)
def test_a_structure_id_is_prefixed_whatever_the_editor_holds(kind: str, held: str, wire: str) -> None:
    assert structure_id(StructureIdKind(kind), held) == wire


@pytest.mark.parametrize(
    ("kind", "held"), [("rpps", "1010005007"), ("rpps", "910100050075"), ("rpps", ""), ("adeli", "35990001")]
)
def test_an_impossible_practitioner_id_is_refused(kind: str, held: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        practitioner_id(PractitionerIdKind(kind), held)


@pytest.mark.parametrize(
    ("held", "wire"),
    [
        ("05 36 49 00 02", "+33536490002"),
        ("05.36.49.00.02", "+33536490002"),
        ("05/36/49/00/02", "+33536490002"),
        ("05-36-49-00-02", "+33536490002"),
        ("+33 (0)5 36 49 00 04", "+33536490004"),
        ("+33536490002", "+33536490002"),
        ("0033261910005", "+33261910005"),
        ("+330536490002", "+33536490002"),
        ("0262 00 00 11", "+262262000011"),
        ("0262000011", "+262262000011"),
        ("0692 12 34 56", "+262692123456"),
        ("0590000000", "+590590000000"),
        ("0694000000", "+594694000000"),
        ("0596000000", "+596596000000"),
        ("+262 262 00 00 11", "+262262000011"),
        # Whatever code the editor holds, the range says where a number is.
        ("+33 692 12 34 56", "+262692123456"),
        ("0033692123456", "+262692123456"),
        ("+33 (0)690 00 00 00", "+590690000000"),
        ("0693 12 34 56", "+262693123456"),
        ("0639 69 00 11", "+262639690011"),
        ("0263 00 00 11", "+262263000011"),
        ("0269 60 00 11", "+262269600011"),
        ("0697 00 00 00", "+596697000000"),
        # Departments share out mobile numbers in 07 09, and those that are bound to no place (09 47, 09 76).
        ("0709 01 23 45", "+590709012345"),
        ("0709 12 34 56", "+596709123456"),
        ("0709 20 00 00", "+262709200000"),
        ("0709 30 00 00", "+594709300000"),
        ("0709 36 00 00", "+262709360000"),
        ("0976 22 00 00", "+262976220000"),
        ("0976 90 00 00", "+262976900000"),
        ("0976 00 00 00", "+590976000000"),
        ("0976 70 00 00", "+596976700000"),
        ("0976 40 00 00", "+594976400000"),
        ("0947 50 00 00", "+590947500000"),
        ("0970 12 34 56", "+33970123456"),
        # Special numbers are the same everywhere, and a code that is given counts where it can.
        ("0800 12 34 56", "+33800123456"),
        ("+262 800 12 34 56", "+262800123456"),
        ("+262 692 12 34 56", "+262692123456"),
        # Kept for works of fiction; nobody has the last one.
        ("01 99 00 12 34", "+33199001234"),
        ("02 61 91 12 34", "+33261911234"),
        ("03 53 01 12 34", "+33353011234"),
        ("04 65 71 12 34", "+33465711234"),
        ("06 39 98 12 34", "+33639981234"),
        ("0691 00 00 00", "+33691000000"),
        ("15", None),
        ("", None),
        ("+441632960000", None),
        ("+33012345678", None),
        ("05 36 49 00 0x", None),
    ],
)
def test_a_phone_is_international_whatever_the_editor_holds(held: str, wire: str | None) -> None:
    if wire is None:
        with pytest.raises(ValueError, match="French phone"):
            phone(held)
    else:
        assert phone(held) == wire


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+33536490002", True),
        ("+33639981234", True),
        ("+262692123456", True),
        ("+33692123456", False),
        ("+33709123456", False),
        ("+33691000000", False),
        ("+262639981234", False),
    ],
)
def test_a_number_is_of_a_range_that_is_given_out_or_of_fiction(number: str, expected: bool) -> None:
    assert is_assigned(number) == expected


def test_luhn() -> None:
    # The textbook's example.
    assert luhn_digit("7992739871") == "3"
