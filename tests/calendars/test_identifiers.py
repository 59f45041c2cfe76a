import pytest

from mock_editor.calendars.identifiers import (
    PractitionerIdKind,
    StructureIdKind,
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


def test_luhn() -> None:
    # The textbook's example.
    assert luhn_digit("7992739871") == "3"
