"""The console's agendas, people and notifications, on a narrow and on a wide screen, and with keys alone."""

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import MERCIER, RENNES, THOMAS, OpenPage, Site, enter, go, press, tab_to, title
from tests.browser.test_layout import LONG, Album

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

KEY = f"{THOMAS}-1"
DAY = "2026-11-20"


@pytest.fixture
def album() -> Album:
    return Album()


@pytest.fixture
def page(album: Album, open_page: OpenPage) -> "Page":
    return album.follow(open_page(viewport={"width": 1280, "height": 800}))


def free(site: Site, calendar: str, editor: str = "agenda-ville") -> list[str]:
    answer = requests.get(f"{site.url}/_admin/calendars/{editor}/{calendar}/slots", params={"day": DAY}, timeout=20)
    return [one["slot"] for one in answer.json()["slots"] if one["state"] == "free"]


def post(site: Site, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(f"{site.url}/_admin{path}", json=body, timeout=20)
    assert answer.status_code in (200, 201), answer.text
    made: dict[str, Any] = answer.json()
    return made


def fill(site: Site) -> tuple[str, str]:
    """A week in which everything has happened; returns two appointments."""
    account = site.account(MERCIER)["id"]
    slots = free(site, KEY)
    states = {}
    for rank, slot in enumerate(slots[:4]):
        body = {"editor": "agenda-ville", "slot": slot, "patient": LONG}
        states[rank] = post(site, "/appointments", body | ({"account": account} if rank else {}))["id"]
    post(site, f"/appointments/agenda-ville/{states[1]}/close", {"honoured": True})
    post(site, f"/appointments/agenda-ville/{states[2]}/close", {"honoured": False})
    base = f"{site.url}/_admin/calendars/agenda-ville"
    requests.put(f"{base}/slots/{slots[5]}", json={"state": "closed"}, timeout=20)
    requests.put(f"{base}/slots/{slots[6]}", json={"state": "open"}, timeout=20)
    requests.put(f"{base}/{KEY}/days/2026-11-19", json={"state": "closed"}, timeout=20)
    requests.put(f"{base}/{KEY}/days/2026-11-18", json={"state": "open"}, timeout=20)
    absence = {"owner": KEY.removesuffix("-1"), "first": "2026-11-17", "last": "2026-11-17"}
    post(site, "/calendars/agenda-ville/absences", absence)
    more = {"day": "2026-11-22", "hours": ["21:15-22:45"], "slot_minutes": 90, "slot_types": ["PUBLIC", "PRO", "SNP"]}
    post(site, f"/calendars/agenda-ville/{KEY}/openings", more | {"taken": 0.0})
    sos = {"editor": "agenda-sos", "slot": free(site, f"{RENNES}-1", "agenda-sos")[0], "account": "3339900018/00000001"}
    return states[3], post(site, "/appointments", sos)["id"]


def test_every_page_fits_the_screen(site: Site, album: Album, page: "Page") -> None:
    appointment, sos = fill(site)
    week, slots = f"{site.url}/_console/agendas/agenda-ville/{KEY}", free(site, KEY)
    account = site.account(MERCIER)["id"]
    for name, url in {
        "console-agendas": f"{site.url}/_console/agendas",
        "console-agendas-found": f"{site.url}/_console/agendas?editeur=agenda-sos&q=rennes",
        "console-agenda": week,
        "console-agenda-slot": f"{week}?creneau={slots[1]}#choix",
        "console-agenda-day": f"{week}?jour=2026-11-22#choix",
        "console-agenda-appointment": f"{week}?rdv={appointment}#choix",
        "console-agenda-sos": f"{site.url}/_console/agendas/agenda-sos/{RENNES}-1?rdv={sos}#choix",
        "console-agenda-night": f"{site.url}/_console/agendas/agenda-sos/{RENNES}-2?semaine=2026-10-25",
        "console-agenda-empty": f"{week}?semaine=2026-12-28",
        "404-agenda": f"{site.url}/_console/agendas/agenda-ville/x",
        "console-accounts": f"{site.url}/_console/comptes",
        "console-account": f"{site.url}/_console/comptes/agenda-ville/{account}",
        "console-diary": f"{site.url}/_console/rendez-vous",
        "console-appointment": f"{site.url}/_console/rendez-vous/agenda-ville/{appointment}",
        "console-notifications": f"{site.url}/_console/notifications",
    }.items():
        go(page, url)
        page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true })")
        album.look(page, name)
    assert album.wrong == []


def top(shown: "Locator") -> float:
    """Where something begins on the page."""
    box = shown.bounding_box()
    assert box
    return float(box["y"])


def test_a_narrow_screen_shows_a_day_and_a_wide_one_the_week(site: Site, page: "Page") -> None:
    go(page, f"{site.url}/_console/agendas/agenda-ville/{KEY}")
    days = page.locator(".grid .day")
    assert [day.is_visible() for day in days.all()] == [True] * 7
    # Slots of one time stand side by side, and beside their time.
    line = page.locator(".day .cell").filter(has_text=re.compile(r"^\s*10:15 – 10:30"))
    tops = {round(top(cell)) for cell in line.all()}
    assert len(line.all()) == 7
    assert len(tops) == 1
    axis = page.locator(".axis li").filter(has_text="10:15")
    assert abs(top(axis) - tops.pop()) <= 2
    page.set_viewport_size({"width": 360, "height": 800})
    assert [day.is_visible() for day in days.all()] == [False] * 4 + [True] + [False] * 2
    press(page, re.compile("^dim. 22"), "link")
    assert days.nth(6).is_visible()
    assert page.locator(".grid .when:visible").first.inner_text() == "08:00 – 08:15"
    assert page.get_by_role("heading", name="dimanche 22 novembre 2026").is_visible()


def test_a_slot_is_closed_and_booked_with_the_keyboard_alone(site: Site, open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    go(page, f"{site.url}/_console/agendas/agenda-ville/{KEY}")
    # A date has parts of its own, of which a page sees none.
    while page.evaluate("document.activeElement.innerText") != "Aller":
        page.keyboard.press("Tab")
    tab_to(page, "sam. 21")
    enter(page)
    assert page.get_by_role("heading", name="samedi 21 novembre 2026").is_visible()
    slot = free(site, KEY)[0]
    go(page, f"{site.url}/_console/agendas/agenda-ville/{KEY}?creneau={slot}#choix")
    # Whoever came from the slot goes on where it is acted upon.
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Fermer le créneau"
    enter(page)
    assert page.get_by_role("status").inner_text() == "Le créneau est modifié."
    assert slot not in free(site, KEY)
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Ouvrir le créneau"
    enter(page)
    tab_to(page, "Nom du patient")
    page.keyboard.press("Control+A")
    page.keyboard.type("Camille Fictive")
    enter(page)
    assert page.get_by_role("status").inner_text() == "Le rendez-vous est pris."
    tab_to(page, "Fiche du rendez-vous")
    enter(page)
    assert title(page) == "Rendez-vous de Camille Fictive"


def test_notifications_come_by_themselves(site: Site, page: "Page") -> None:
    go(page, f"{site.url}/_console/notifications")
    assert page.get_by_text("Aucune notification.").is_visible()
    fill(site)
    page.get_by_role("link", name=re.compile("Acceptée : [1-9]")).wait_for()
    press(page, "Suspendre l’envoi")
    assert page.get_by_text("L’envoi est suspendu, pour tous les logiciels").is_visible()
    press(page, "Reprendre l’envoi")
    assert page.get_by_role("status").inner_text() == "L’envoi des notifications reprend."
