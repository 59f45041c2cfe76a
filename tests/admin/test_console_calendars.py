"""The console's agendas: finding one, its week slot by slot, and all that is opened, closed and booked in it."""

import html
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from mock_editor import scenario
from mock_editor.base.clock import Clock
from mock_editor.calendars.catalogue import calendars_of
from mock_editor.calendars.model import Editor
from mock_editor.scenario import LoadedScenario
from tests.admin.conftest import AT_SOS, TAKEN
from tests.admin.console_browser import Console, text, words
from tests.conftest import GUIDE_THOMAS, NOW, application, json_of, matched

AGENDAS = "/_console/agendas"
KEY = f"{GUIDE_THOMAS}-1"
WEEK = f"{AGENDAS}/agenda-ville/{KEY}"
RENNES = "334173748400020"
SOS_WEEK = f"{AGENDAS}/agenda-sos/{RENNES}-1"
FRIDAY = date(2026, 11, 20)
Cell = tuple[str, str, str]
UNDO = ("setSlot", "setDay", "endAbsence", "removeOpening")


def cells(console: Console) -> list[Cell]:
    """What is in the grid: how each stands, what it leads to, and what is read of it."""
    grid = console.page.text.partition('<div class="grid">')[2]
    found = re.findall(r'<a class="cell ([^"]*)" href="([^"]*)"[^>]*>(.*?)</a>', grid, re.DOTALL)
    return [(state, html.unescape(link), words(inside)) for state, link, inside in found]


def of(console: Console, slot: str) -> Cell:
    """The one that leads to a slot."""
    [found] = [one for one in cells(console) if f"creneau={slot}#" in one[1]]
    return found


def choice(console: Console) -> str:
    """What is read where one acts."""
    return words(matched(r'<section class="choice[ "].*?</section>', console.page.text, re.DOTALL)[0])


def told(client: FlaskClient, calendar: str, day: date, editor: str = "agenda-ville") -> list[dict[str, Any]]:
    """The slots of a day as the admin API has them."""
    answer = client.get(f"/_admin/calendars/{editor}/{calendar}/slots?day={day}")
    found: list[dict[str, Any]] = json_of(answer)["slots"]
    return found


def slot_of(client: FlaskClient, state: str, rank: int = 0, calendar: str = KEY) -> str:
    """A slot of Friday that stands so."""
    found: str = [one for one in told(client, calendar, FRIDAY) if one["state"] == state][rank]["slot"]
    return found


def buttons(console: Console) -> list[str]:
    inside = matched(r'<section class="choice[ "].*?</section>', console.page.text, re.DOTALL)[0]
    return [words(one) for one in re.findall(r"<button[^>]*>(.*?)</button>", inside, re.DOTALL)]


# --- finding an agenda


def test_the_first_editor_s_directory_comes_first(console: Console, played: LoadedScenario) -> None:
    found = text(console.open(AGENDAS))
    assert console.title == "Agendas"
    assert "41 praticiens ou associations." in found
    assert "Dr Sébastien THOMAS 810100050075 Médecine générale, Chirurgie générale 1 rue Mme DELMAS" in found
    assert {WEEK, f"{AGENDAS}/agenda-ville/{GUIDE_THOMAS}-2"} <= set(console.links(f"{AGENDAS}/"))
    for editor in played.editors:
        assert any(link.endswith(f"editeur={editor.slug}") for link in console.links(AGENDAS))
    shown = "SOS Médecins de Rennes 334173748400020 SOS Médecins Centre de consultation Rennes Nord"
    assert shown in text(console.open(f"{AGENDAS}?editeur=agenda-sos"))


def test_every_page_of_the_directory_has_others(console: Console, editor: Editor) -> None:
    found: list[str] = []
    console.open(AGENDAS)
    while True:
        found += console.links(f"{AGENDAS}/agenda-ville/")
        if "Page suivante" not in console.page.text:
            break
        console.open(console.links("page=")[-1])
    expected = [
        f"{AGENDAS}/agenda-ville/{at.calendar.key}" for one in editor.directory for at in calendars_of(editor, one.id)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("thomas", GUIDE_THOMAS),
        ("sebastien THOMAS", GUIDE_THOMAS),
        ("çelik", "899000000044"),
        ("celik", "899000000044"),
        ("thomas agen", GUIDE_THOMAS),
        ("10100050075", GUIDE_THOMAS),
        (" 8 10100050075", GUIDE_THOMAS),
        (KEY, GUIDE_THOMAS),
        ("359900017", "0359900017"),
    ],
)
def test_somebody_is_found(console: Console, asked: str, found: str) -> None:
    console.open(f"{AGENDAS}?editeur=agenda-ville&q={asked}")
    people = {link.rpartition("/")[2].rpartition("-")[0] for link in console.links(f"{AGENDAS}/agenda-ville/")}
    assert people == {found}


@pytest.mark.parametrize("asked", ["rennes", "médecins SOS de rennes", RENNES, RENNES.removeprefix("3"), f"{RENNES}-2"])
def test_an_association_is_found(console: Console, asked: str) -> None:
    console.open(f"{AGENDAS}?editeur=agenda-sos&q={asked}")
    assert {link.rpartition("/")[2] for link in console.links(f"{AGENDAS}/agenda-sos/")} == {
        f"{RENNES}-1",
        f"{RENNES}-2",
    }


@pytest.mark.parametrize("asked", ["Nobody", "10100050076", "<b>", "%00", "%ff", "thomas bordeaux"])
def test_nobody_is_found(console: Console, asked: str) -> None:
    assert console.open(f"{AGENDAS}?q={asked}").status_code == 200
    assert "Personne de ce nom ni de cet identifiant dans Agenda Ville." in text(console.page)


def test_of_a_million_people_a_few_are_looked_at(write_scenario: Callable[[str], Path], tmp_path: Path) -> None:
    path = write_scenario(
        "name: grand\ntitle: Grand\nseed: x\ncalendars:\n  jours:\n    week:\n"
        '      - {days: [mon], hours: ["09:00-12:00"]}\n'
        "editors:\n  - slug: grand\n    name: Grand\n    identifier_system: urn:oid:1.2.3\n    groups:\n"
        "      - {name: tous, count: 1000000, departments: ['33'], specialties: [SM54], calendars: [jours]}\n"
    )
    played = scenario.load(path)
    console = Console(application(played, Clock(NOW), tmp_path))
    shown = text(console.open(AGENDAS))
    assert "1000000 praticiens ou associations." in shown
    assert "Par nom, parmi les 2000 premiers de l’annuaire ; par identifiant, parmi tous." in shown
    directory: Any = played.editors[0].directory
    [group] = directory._groups.values()
    far = group.practitioner(999_999)
    console.open(f"{AGENDAS}?q={far.id}")
    assert console.links(f"{AGENDAS}/grand/") == [f"{AGENDAS}/grand/{place.calendar.key}" for place in far.places]
    # No further than by name either.
    console.open(f"{AGENDAS}?page=100")
    assert "Page suivante" not in console.page.text
    assert len(re.findall('data-label="Agendas"', console.page.text)) == 20
    assert "Page 1 " in text(console.open(f"{AGENDAS}?page=101"))


def test_agendas_in_which_something_happened_are_at_hand(console: Console, client: FlaskClient) -> None:
    assert "Où il s’est passé quelque chose" not in console.open(AGENDAS).text
    assert client.post("/_admin/appointments", json=TAKEN).status_code == 201
    client.put("/_admin/calendars/agenda-ville/0359900017-1/days/2026-11-20", json={"state": "closed"})
    shown = text(console.open(AGENDAS))
    assert "Dr Sébastien THOMAS , 1 rue Mme DELMAS 1 rendez-vous" in shown
    assert "Dr Maëlys KERVELLA , 4 rue de la Parcheminerie fictive ouvert ou fermé à la main" in shown


def test_what_happens_with_somebody_made_in_bulk_shows(console: Console, client: FlaskClient, editor: Editor) -> None:
    computed = next(one for one in editor.directory if one.places[0].calendar.seed != editor.seed)
    key = computed.places[0].calendar.key
    days = [FRIDAY + timedelta(shift) for shift in range(3, 10)]

    def states() -> dict[str, str]:
        return {one["slot"]: one["state"] for day in days for one in told(client, key, day)}

    taken = next(slot for slot, state in states().items() if state == "free")
    made = client.post("/_admin/appointments", json={"editor": editor.slug, "slot": taken, "patient": "Fictif"})

    def offered() -> list[str]:
        console.open(f"/_console/rendez-vous/{editor.slug}/{json_of(made)['id']}/deplacer?semaine={days[0]}")
        return re.findall(rf'"({key}-\d{{12}})"', console.page.text)

    closed, *others = offered()
    assert taken not in (closed, *others)
    client.put(f"/_admin/calendars/{editor.slug}/slots/{closed}", json={"state": "closed"})
    assert offered() == others
    assert (states()[taken], states()[closed]) == ("appointment", "closed")
    assert f"{computed.places[0].line} 1 rendez-vous" in text(console.open(AGENDAS))
    console.open(f"{AGENDAS}/{editor.slug}/{key}?creneau={closed}")
    assert of(console, closed)[0].split()[0] == "closed"


# --- the week


def check_week(console: Console, client: FlaskClient, editor: Editor, calendar: str, first: date) -> None:
    """That the week of the page is what the admin API says of its days."""
    zone = next(at.calendar.zone for at in calendars_of(editor, calendar.rpartition("-")[0]))
    expected = {}
    for shift in range(-1, 7):
        for one in told(client, calendar, first + timedelta(days=shift), editor.slug):
            expected[one["slot"]] = one
    days = {first + timedelta(days=shift) for shift in range(7)}
    expected = {
        slot: one
        for slot, one in expected.items()
        if datetime.fromisoformat(one["start"]).astimezone(zone).date() in days
    }
    shown = {matched("creneau=([^#]*)", link)[1]: (state, said) for state, link, said in cells(console)}
    assert set(shown) == set(expected)
    for slot, one in expected.items():
        state, said = shown[slot]
        assert state.startswith(one["state"]), slot
        local = datetime.fromisoformat(one["start"]).astimezone(zone)
        assert said.startswith(f"{local:%H:%M} – "), slot
        if one["state"] == "free":
            for kind in ("PUBLIC", "PRO", "SNP", "CPTS"):
                assert (f" {kind}" in said) == (kind in one["slot_types"]), slot


@pytest.mark.parametrize("day", ["2026-11-20", "2026-10-25", "2027-03-28", "2026-12-28"])
def test_a_week_shows_every_slot_of_every_agenda(
    console: Console, client: FlaskClient, played: LoadedScenario, day: str
) -> None:
    first = date.fromisoformat(day)
    first -= timedelta(days=first.weekday())
    for editor in played.editors:
        owners = [*[one.id for one in editor.directory][:14], *editor.associations]
        for at in (at for owner in owners for at in calendars_of(editor, owner)):
            key = at.calendar.key
            assert console.open(f"{AGENDAS}/{editor.slug}/{key}?semaine={day}").status_code == 200
            check_week(console, client, editor, key, first)


def test_slots_that_are_never_exposed_say_so(console: Console, editor: Editor) -> None:
    closed = next(
        at.calendar.key
        for one in editor.directory
        for at in calendars_of(editor, one.id)
        if {str(shape.types[0]) for opening in at.calendar.plan.week[0] for shape in opening.mix.shapes} >= {"private"}
    )
    console.open(f"{AGENDAS}/agenda-ville/{closed}?semaine=2026-11-23")
    said = {said.partition(" – ")[2].partition(" ")[2] for _, _, said in cells(console)}
    assert said == {"Patients", "Privé", "Structure", "PUBLIC"}
    slot = next(link for _, link, said in cells(console) if said.endswith("Privé"))
    console.open(slot)
    assert "Privé, jamais exposé" in choice(console)


def test_weeks_follow_each_other(console: Console) -> None:
    console.open(WEEK)
    assert "Semaine du 16 au 22 novembre 2026" in text(console.page)
    assert console.links("semaine=2026-11-09")
    console.open(console.links("semaine=2026-11-23")[0])
    assert "Semaine du 23 au 29 novembre 2026" in text(console.page)
    # « Aujourd’hui » leads back.
    console.open(next(link for link in console.links(WEEK) if link == WEEK))
    assert "Semaine du 16 au 22 novembre 2026" in text(console.page)
    assert console.page.text.count("aujourd’hui</span>") == 1


@pytest.mark.parametrize(
    "query",
    [
        "semaine=0001-01-01",
        "semaine=1900-01-01",
        "semaine=2200-12-31",
        "semaine=9999-12-31",
        "semaine=x",
        "semaine=",
        "jour=2026-02-30",
        "jour=9999-12-31",
        "creneau=x",
        f"creneau={KEY}-202611200003",
        f"creneau={KEY}-999912312359",
        "creneau=x-1-202611200715",
        "rdv=%00",
        "rdv={id}",
        "rdv=a&rdv=b",
        "creneau=%ff",
    ],
)
def test_any_week_is_shown(console: Console, query: str) -> None:
    assert console.open(f"{WEEK}?{query}").status_code == 200
    assert "Semaine du " in text(console.page)


@pytest.mark.parametrize(
    "url",
    [
        f"{AGENDAS}?editeur=nulle-part",
        f"{AGENDAS}/nulle-part/{KEY}",
        f"{AGENDAS}/agenda-ville/{GUIDE_THOMAS}-9",
        f"{AGENDAS}/agenda-ville/x",
        f"{AGENDAS}/agenda-sos/{KEY}",
        f"{AGENDAS}/agenda-ville/%00%ff",
    ],
)
def test_agendas_that_are_not_there(console: Console, url: str) -> None:
    assert console.open(url).status_code == 404
    assert console.title == "Page introuvable"


def test_other_places_and_the_public_page_are_linked(console: Console) -> None:
    console.open(WEEK)
    [other] = console.links(f"{GUIDE_THOMAS}-2?")
    console.open(other)
    assert "30 rue Mme DELMAS, 47000 AGEN" in text(console.page)
    [site] = console.links("lieu=")
    assert console.open(site).status_code == 200


# --- slots


def test_a_slot_is_closed_and_opened_again(console: Console, client: FlaskClient) -> None:
    slot = slot_of(client, "free")
    console.open(WEEK)
    console.open(of(console, slot)[1])
    assert "vendredi 20 novembre 2026 à" in choice(console)
    assert buttons(console) == ["Fermer le créneau", "Prendre le rendez-vous"]
    console.act("setSlot", "Fermer")
    assert console.told == "Le créneau est modifié."
    assert (of(console, slot)[0], of(console, slot)[2].rpartition(" ")[2]) == ("closed", "fermé")
    assert "État fermé à la main" in choice(console)
    assert slot not in [one["slot"] for one in told(client, KEY, FRIDAY) if one["state"] == "free"]
    console.act("setSlot", "Ouvrir")
    assert of(console, slot)[0] == "free opened"
    assert of(console, slot)[2].endswith("ouvert")
    console.act("setSlot", "Comme dans le scénario")
    assert of(console, slot)[0] == "free"
    assert buttons(console) == ["Fermer le créneau", "Prendre le rendez-vous"]


def test_a_slot_that_the_scenario_has_taken_is_opened(console: Console, client: FlaskClient) -> None:
    slot = slot_of(client, "taken")
    console.open(f"{WEEK}?creneau={slot}")
    assert "État occupé, dans le scénario" in choice(console)
    console.act("setSlot", "Ouvrir")
    assert slot in [one["slot"] for one in told(client, KEY, FRIDAY) if one["state"] == "free"]


def test_a_slot_is_booked_by_the_practice(console: Console, client: FlaskClient) -> None:
    slot = slot_of(client, "free", 2)
    console.open(f"{WEEK}?creneau={slot}")
    console.act("createAppointment", patient="Zoé <b>", reason="Fièvre")
    assert console.told == "Le rendez-vous est pris."
    [made] = json_of(client.get("/_admin/appointments"))["appointments"]
    assert (made["slot"], made["sas"], made["patient"], made["reason"]) == (slot, False, "Zoé <b>", "Fièvre")
    assert "Confirmé" in choice(console)
    assert "Pris hors SAS, par le cabinet" in choice(console)
    [held] = [one for one in cells(console) if one[0].startswith("held")]
    assert held[2].endswith("RDV cabinet , confirmé")
    # Nothing here says who the patient is.
    assert "Zoé" not in console.page.text
    assert console.open(console.links(f"/rendez-vous/agenda-ville/{made['id']}")[0]).status_code == 200


def test_a_booking_that_comes_too_late_is_refused(console: Console, client: FlaskClient) -> None:
    slot = slot_of(client, "free")
    console.open(f"{WEEK}?creneau={slot}")
    assert client.post("/_admin/appointments", json={"editor": "agenda-ville", "slot": slot}).status_code == 201
    console.act("createAppointment", patient="Zoé")
    assert console.page.status_code == 409
    assert console.told.startswith("Créneau déjà pris")
    assert len(json_of(client.get("/_admin/appointments"))["appointments"]) == 1


def test_a_booking_without_a_patient_keeps_what_was_typed(console: Console, client: FlaskClient) -> None:
    console.open(f"{WEEK}?creneau={slot_of(client, 'free')}")
    console.act("createAppointment", patient="a" * 201, reason="Motif tapé")
    assert console.page.status_code == 422
    assert "Motif tapé" in console.page.text
    assert "is-invalid" in console.page.text
    assert json_of(client.get("/_admin/appointments"))["total"] == 0


def test_a_slot_of_the_past_can_be_opened_but_not_booked(console: Console, client: FlaskClient) -> None:
    yesterday = next(one["slot"] for one in told(client, KEY, FRIDAY - timedelta(days=1)) if one["state"] == "free")
    console.open(f"{WEEK}?creneau={yesterday}")
    assert "passé" in choice(console)
    assert buttons(console) == ["Fermer le créneau"]


# --- appointments


def test_an_appointment_is_honoured_or_not_and_cancelled(console: Console, client: FlaskClient) -> None:
    made = json_of(client.post("/_admin/appointments", json=TAKEN))
    console.open(WEEK)
    [held] = [one for one in cells(console) if one[0].startswith("held")]
    assert held[2].endswith("RDV MERCIER , confirmé")
    console.open(held[1])
    assert "depuis le SAS, par Solène MERCIER" in choice(console)
    assert buttons(console) == ["Honoré", "Non honoré", "Annuler le rendez-vous", "Déplacer"]
    console.act("closeAppointment", "Non honoré")
    assert "État Non honoré" in choice(console)
    assert "RDV ✗ MERCIER" in " ".join(said for _, _, said in cells(console))
    console.act("closeAppointment", "Honoré")
    assert buttons(console) == ["Non honoré"]
    assert json_of(client.get(f"/_admin/appointments/agenda-ville/{made['id']}"))["status"] == "fulfilled"

    other = json_of(client.post("/_admin/appointments", json=TAKEN | {"slot": slot_of(client, "free")}))
    console.open(f"{WEEK}?rdv={other['id']}")
    console.act("cancelAppointment")
    assert console.told == "Le rendez-vous est annulé."
    assert "État Annulé" in choice(console)
    assert buttons(console) == []
    assert of(console, other["slot"])[0] == "free"


def test_an_appointment_is_moved_within_the_week(console: Console, client: FlaskClient) -> None:
    made = json_of(client.post("/_admin/appointments", json=TAKEN))
    console.open(f"{WEEK}?rdv={made['id']}")
    target = slot_of(client, "free", 5)
    console.act("moveAppointment", slot=target)
    assert console.told == "Le rendez-vous est déplacé."
    assert json_of(client.get(f"/_admin/appointments/agenda-ville/{made['id']}"))["slot"] == target
    assert of(console, made["slot"])[0] == "free"
    console.open(f"{WEEK}?rdv={made['id']}")
    assert client.post("/_admin/appointments", json=TAKEN).status_code == 201
    console.act("moveAppointment", slot=made["slot"])
    assert (console.page.status_code, console.told.partition(" : ")[0]) == (
        409,
        "Créneau déjà pris Ce créneau n’est plus libre",
    )
    assert console.links(f"/rendez-vous/agenda-ville/{made['id']}/deplacer")


def test_a_doctor_is_assigned_at_sos_medecins(console: Console, client: FlaskClient) -> None:
    made = json_of(client.post("/_admin/appointments", json=AT_SOS))
    console.open(f"{SOS_WEEK}?rdv={made['id']}")
    assert "Médecin pas encore affecté" in choice(console)
    assert "RDV ? permanence" in " ".join(said for _, _, said in cells(console))
    console.act("assignAppointment", practitioner="x")
    assert console.page.status_code == 422
    assert 'value="x"' in console.page.text
    console.act("assignAppointment", practitioner="10100050075")
    assert "Médecin 810100050075" in choice(console)


def test_an_appointment_of_another_agenda_is_not_shown(console: Console, client: FlaskClient) -> None:
    made = json_of(client.post("/_admin/appointments", json=TAKEN))
    console.open(f"{AGENDAS}/agenda-ville/0359900017-1?rdv={made['id']}")
    assert "Ce créneau ou ce rendez-vous n’est pas, ou plus, dans cet agenda." in choice(console)


def test_an_appointment_outlives_its_slot(console: Console, client: FlaskClient) -> None:
    body = {"day": "2026-11-22", "hours": ["21:00-22:00"], "slot_minutes": 30, "taken": 0.0}
    opening = json_of(client.post(f"/_admin/calendars/agenda-ville/{KEY}/openings", json=body))
    slot = f"{KEY}-202611222000"
    made = json_of(client.post("/_admin/appointments", json={"editor": "agenda-ville", "slot": slot}))
    assert client.delete(f"/_admin/calendars/agenda-ville/openings/{opening['id']}").status_code == 204
    console.open(f"{WEEK}?rdv={made['id']}")
    assert "n’existe plus dans l’agenda" in choice(console)
    [held] = [one for one in cells(console) if one[0].startswith("held")]
    assert held[2] == "21:00 – 21:30 RDV cabinet , confirmé"


def test_appointments_across_slots_stand_beside_them(console: Console, client: FlaskClient) -> None:
    """As they do when a scenario gives slots of another length: nothing is lost from the grid."""
    body = {"day": "2026-11-22", "hours": ["21:00-22:00"], "slot_minutes": 60, "taken": 0.0}
    opening = json_of(client.post(f"/_admin/calendars/agenda-ville/{KEY}/openings", json=body))
    client.post("/_admin/appointments", json={"editor": "agenda-ville", "slot": f"{KEY}-202611222000"})
    client.delete(f"/_admin/calendars/agenda-ville/openings/{opening['id']}")
    early = body | {"hours": ["22:00-23:00"], "slot_minutes": 20}
    assert client.post(f"/_admin/calendars/agenda-ville/{KEY}/openings", json=early).status_code == 201
    console.open(f"{WEEK}?semaine=2026-11-22")
    evening = [said[:5] for _, _, said in cells(console)][-4:]
    assert evening == ["21:00", "22:00", "22:20", "22:40"]


# --- days, absences, more slots


def grid_day(console: Console, day: str) -> set[str]:
    """How the slots of a day of the grid stand."""
    grid = console.page.text.partition('<div class="grid">')[2]
    part = grid.partition(f"jour={day}#choix")[2].partition("</section>")[0]
    return set(re.findall(r'<a class="cell ([a-z-]+)', part))


def test_a_day_is_closed_opened_and_given_back(console: Console, client: FlaskClient) -> None:
    console.open(f"{WEEK}?jour=2026-11-20")
    assert choice(console).startswith("vendredi 20 novembre 2026 46 créneaux")
    before = client.get(f"/_admin/calendars/agenda-ville/{KEY}/slots?day=2026-11-20").json
    console.act("setDay", "Fermer toute la journée")
    assert console.told == "La journée est modifiée."
    assert grid_day(console, "2026-11-20") == {"closed-day"}
    assert "fermée à la main" in text(console.page)
    assert "Fermer toute la journée" not in buttons(console)
    console.act("setDay", "Ouvrir toute la journée")
    assert grid_day(console, "2026-11-20") == {"free"}
    console.act("setDay", "Comme dans le scénario")
    assert client.get(f"/_admin/calendars/agenda-ville/{KEY}/slots?day=2026-11-20").json == before


def test_an_absence_is_given_and_taken_back(console: Console) -> None:
    console.open(f"{WEEK}?jour=2026-11-20")
    console.act("addAbsence", first="2026-11-20", last="2026-11-21")
    assert console.told == "L’absence est ajoutée."
    assert grid_day(console, "2026-11-20") == grid_day(console, "2026-11-21") == {"absent", "taken"}
    assert "Absence du vendredi 20 novembre 2026 au samedi 21 novembre 2026" in text(console.page)
    # Of all agendas of the same person.
    console.open(f"{AGENDAS}/agenda-ville/{GUIDE_THOMAS}-2?jour=2026-11-20")
    assert "absent" in grid_day(console, "2026-11-20")
    console.act("endAbsence", "Défaire")
    assert console.told == "L’absence est levée."
    assert "absent" not in grid_day(console, "2026-11-20")


def test_an_absence_that_ends_before_it_begins_is_refused(console: Console, client: FlaskClient) -> None:
    console.open(f"{WEEK}?jour=2026-11-20")
    console.act("addAbsence", first="2026-11-20", last="2026-11-19")
    assert console.page.status_code == 422
    assert 'value="2026-11-19"' in console.page.text
    # Only the part of the page that was refused is open.
    assert re.findall(r'<details class="choice-more"( open)?>', console.page.text) == ["", " open"]
    assert json_of(client.get("/_admin/calendars/agenda-ville/changes"))["changes"] == []


def test_slots_are_added_and_taken_away(console: Console, client: FlaskClient) -> None:
    console.open(f"{WEEK}?jour=2026-11-22")
    target, _, data = console.form("addOpening")
    # A box that is ticked, which the form alone does not send.
    typed = {"body.hours": "21:30-23:00", "body.slot_minutes": "30", "body.slot_types": "SNP", "body.taken": "0"}
    console.page = console.client.post(target, data=data | typed, follow_redirects=True)
    assert console.told == "Les créneaux sont ajoutés."
    added = told(client, KEY, date(2026, 11, 22))[-3:]
    assert [one["slot_types"] for one in added] == [["SNP"]] * 3
    assert of(console, added[0]["slot"])[2] == "21:30 – 22:00 SNP"
    assert "créneaux ajoutés" in text(console.page)
    assert "Créneaux ajoutés dimanche 22 novembre 2026, 21:30-23:00" in text(console.page)
    console.act("removeOpening", "Défaire")
    assert console.told == "Les créneaux ajoutés sont retirés."
    assert len(told(client, KEY, date(2026, 11, 22))) == 46


@pytest.mark.parametrize("hours", ["midi", "23:00-25:00", "20:00-22:00", ""])
def test_slots_that_cannot_be_added_are_refused(console: Console, client: FlaskClient, hours: str) -> None:
    console.open(f"{WEEK}?jour=2026-11-22")
    console.act("addOpening", hours=hours, slot_minutes="25")
    assert console.page.status_code == 422
    assert 'value="25"' in console.page.text
    assert json_of(client.get("/_admin/calendars/agenda-ville/changes"))["changes"] == []


def test_whatever_was_done_by_hand_can_be_undone(console: Console, client: FlaskClient) -> None:
    base = "/_admin/calendars/agenda-ville"
    client.put(f"{base}/slots/{slot_of(client, 'free')}", json={"state": "closed"})
    client.put(f"{base}/slots/{slot_of(client, 'taken')}", json={"state": "open"})
    client.put(f"{base}/{KEY}/days/2026-11-19", json={"state": "closed"})
    client.put(f"{base}/{KEY}/days/2026-11-21", json={"state": "open"})
    client.post(f"{base}/absences", json={"owner": GUIDE_THOMAS, "first": "2026-12-01", "last": "2026-12-01"})
    client.post(f"{base}/{KEY}/openings", json={"day": "2026-11-22", "hours": ["21:00-22:00"]})
    client.put(f"{base}/0359900017-1/days/2026-11-19", json={"state": "closed"})  # somebody else
    shown = text(console.open(WEEK)).partition("Ouvert et fermé à la main")[2]
    for said in ("Créneau fermé", "Créneau ouvert", "Journée fermée", "Journée ouverte", "Absence", "Créneaux ajoutés"):
        assert shown.count(said) == 2, said  # the second time for those who hear the button
    table = console.page.text.partition("Ouvert et fermé à la main")[2]
    for link in re.findall('href="([^"]*)"', table):
        assert Console(console.client.application).open(html.unescape(link).partition("#")[0]).status_code == 200
    for _ in range(6):
        operation = next(name for name in UNDO if f"/faire/{name}" in console.page.text)
        console.act(operation, "Défaire")
        assert console.page.status_code == 200
    assert "Rien : cet agenda est comme le scénario le décrit" in text(console.page)
    [left] = json_of(client.get(f"{base}/changes"))["changes"]
    assert left["owner"] == "0359900017"


def test_changes_are_listed_up_to_a_hundred(console: Console, client: FlaskClient) -> None:
    for shift in range(103):
        day = FRIDAY + timedelta(days=shift)
        client.put(f"/_admin/calendars/agenda-ville/{KEY}/days/{day}", json={"state": "closed"})
    assert "Les 100 premiers changements, sur 103." in text(console.open(WEEK))
