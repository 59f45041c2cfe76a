import pytest

from mock_editor.base.errors import EditorError
from mock_editor.booking.access import accepted_origin, origins

ACCEPTED = ("sas", "sas-*")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"lieu=1", []),
        (b"lieu=1&origin=sas", ["sas"]),
        (b"origin=sas", ["sas"]),
        (b"lieu=1?origin=sas-preprod", ["sas-preprod"]),
        (b"lieu=1?origin=sas&x=1", ["sas"]),
        (b"origin=sas&origin=sas-rui", ["sas", "sas-rui"]),
        (b"lieu=1&origin=sas%2Drui", ["sas-rui"]),
        (b"lieu=1&origin=", [""]),
        (b"original=sas&xorigin=sas", []),
        ("lieu=é&origin=sas".encode("latin-1"), ["sas"]),
    ],
)
def test_origins_are_found_wherever_clients_put_them(query: bytes, found: list[str]) -> None:
    assert origins(query) == found


@pytest.mark.parametrize("origin", ["sas", "sas-rui", "sas-rui-ovh", "sas-preprod"])
def test_origins_of_every_environment_are_accepted(origin: str) -> None:
    assert accepted_origin(["", origin], ACCEPTED) == origin


@pytest.mark.parametrize("found", [["SAS"], ["sass"], [""], ["doctolib"], ["sa", "xsas-"]])
def test_others_are_not(found: list[str]) -> None:
    with pytest.raises(EditorError) as refused:
        accepted_origin(found, ACCEPTED)
    assert refused.value.status == 400
