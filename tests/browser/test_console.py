"""The console in a browser: it fits the screen, changes by itself, and works from the keyboard and without scripts."""

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.browser.conftest import OpenPage, Site, enter, go, press, tab_to, title
from tests.browser.test_layout import Album
from tests.conftest import GUIDE_THOMAS, slot_search
from tests.wire.conftest import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

HOSTILE = "<script>document.title='owned'</script>" + "x" * 150
RULE = {"name": "coupe", "editors": ["agenda-cpts"], "do": [{"kind": "cut-body", "share": 0.5}]}


@pytest.fixture
def album() -> Album:
    return Album()


@pytest.fixture
def page(album: Album, open_page: OpenPage) -> "Page":
    return album.follow(open_page())


def do(site: Site, method: str, path: str, body: Any = None) -> Any:
    """What a script does meanwhile."""
    answer = requests.request(method, f"{site.url}/_admin{path}", json=body, timeout=20)
    assert answer.ok, answer.text
    return answer.json() if answer.content else None


def search(site: Site, extra: str = "") -> None:
    requests.get(site.url + slot_search([GUIDE_THOMAS]) + extra, timeout=20)


def rows(page: "Page") -> list[int]:
    return [int(one) for one in page.locator("#echanges th").all_text_contents()]


def recorded(site: Site) -> list[int]:
    """The numbers of the searches in the journal, the last first."""
    return [one["id"] for one in do(site, "GET", "/journal?flow=INT_R01")["entries"]]


def first_row_is(page: "Page", number: int) -> None:
    """Waits until the list of the journal has an exchange at its top."""
    page.wait_for_function("number => document.querySelector('#echanges th').innerText == number", arg=str(number))


def test_every_page_fits_the_screen(site: Site, album: Album, page: "Page") -> None:
    search(site)
    search(site, f"&start={HOSTILE}")
    do(site, "POST", "/faults", RULE)
    slot = site.slots(GUIDE_THOMAS)[0]["id"]
    made = do(site, "POST", "/appointments", {"editor": "agenda-ville", "slot": slot, "patient": HOSTILE})
    console = f"{site.url}/_console"
    appointment = f"{console}/rendez-vous/agenda-ville/{made['id']}"
    for name, url in (
        ("tableau", f"{console}/"),
        ("regulateurs", f"{console}/comptes"),
        ("rendez-vous", f"{console}/rendez-vous"),
        ("fiche", appointment),
        ("deplacer", f"{appointment}/deplacer"),
        ("praticien", f"{appointment}/praticien"),
        ("notifications", f"{console}/notifications"),
        ("journal", f"{console}/journal"),
        ("journal-filtre", f"{console}/journal?status=4xx&contains=script"),
        ("422-console-journal", f"{console}/journal?status=x"),
        ("echange", f"{console}/journal/{recorded(site)[1]}"),
        ("echange-refuse", f"{console}/journal/{recorded(site)[0]}"),
        ("404-console-nulle-part", f"{console}/nulle-part"),
    ):
        go(page, url)
        album.look(page, name if name[0].isdigit() else f"console-{name}")
        assert page.title() != "owned"
    assert album.wrong == []


def test_the_journal_grows_by_itself_until_it_is_paused(site: Site, page: "Page", album: Album) -> None:
    search(site)
    go(page, f"{site.url}/_console/journal?flow=INT_R01")
    before = rows(page)
    assert before == recorded(site)
    search(site, f"&start={HOSTILE}")
    first_row_is(page, recorded(site)[0])
    more = rows(page)
    assert (more, more[1:]) == (recorded(site), before)
    page.get_by_role("button", name="Pause").click()
    search(site)
    assert rows(page) == more
    page.get_by_role("button", name="Reprendre").click()
    # What came meanwhile comes now.
    first_row_is(page, recorded(site)[0])
    assert rows(page) == recorded(site)
    assert page.title().startswith("Journal")
    assert album.wrong == []


def test_the_journal_shows_so_many_rows_only(site: Site, page: "Page") -> None:
    for _ in range(49):
        search(site)
    go(page, f"{site.url}/_console/journal?flow=INT_R01")
    assert len(rows(page)) == 49
    for _ in range(3):
        search(site)
    first_row_is(page, recorded(site)[0])
    assert rows(page) == recorded(site)[:50]


def test_the_dashboard_changes_by_itself_but_not_under_the_focus(site: Site, page: "Page", album: Album) -> None:
    go(page, f"{site.url}/_console/")
    do(site, "POST", "/faults", RULE)
    off = page.get_by_role("button", name="Désactiver coupe")
    off.wait_for()
    off.focus()
    page.evaluate("() => { document.querySelector('#maintenant').dataset.seen = 'yes' }")
    do(site, "POST", "/faults", {**RULE, "name": "autre"})
    with page.expect_event("requestfinished"):
        # Two looks of the stream later.
        page.evaluate("() => new Promise(done => setTimeout(done, 1)).then(() => fetch('/_health'))")
    press(page, "Désactiver coupe")
    assert page.get_by_role("status").inner_text() == "La panne « coupe » est désactivée."
    page.get_by_role("button", name="Désactiver autre").wait_for()
    assert album.wrong == []


def test_the_console_works_from_the_keyboard(site: Site, page: "Page") -> None:
    go(page, f"{site.url}/_console/")
    assert tab_to(page, "Aller au contenu") == "Aller au contenu"
    page.keyboard.press("Enter")
    assert page.locator(":focus").get_attribute("id") == "contenu"
    tab_to(page, "Remettre à zéro")
    page.keyboard.press("Enter")
    tab_to(page, "Confirmer")
    assert enter(page).status == 200
    assert page.get_by_role("status").inner_text() == "Le simulateur est remis à zéro."
    tab_to(page, "Journal")
    enter(page)
    assert title(page) == "Journal"
    assert page.locator("[aria-current=page]").first.inner_text() == "Journal"


def test_the_console_works_without_scripts(site: Site, open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    do(site, "POST", "/faults", RULE)
    go(page, f"{site.url}/_console/")
    assert page.get_by_role("button", name="Pause").count() == 0
    press(page, "Désactiver coupe")
    assert page.get_by_role("status").inner_text() == "La panne « coupe » est désactivée."
    page.get_by_text("Remettre à zéro", exact=True).last.click()
    press(page, "Confirmer : Remettre à zéro")
    assert page.get_by_role("status").inner_text() == "Le simulateur est remis à zéro."
    search(site)
    press(page, "Journal", "link")
    page.locator("summary", has_text="Filtrer").click()
    page.get_by_label("Flux").select_option("INT_R01")
    press(page, "Filtrer")
    assert len(rows(page)) == 1


def test_streams_of_pages_that_were_left_end(site: Site, page: "Page") -> None:
    def waiting() -> str:
        told = requests.get(f"{site.url}/_metrics", timeout=20).text
        found = re.search(r"^mock_editor_waiting_requests (\S+)", told, re.MULTILINE)
        assert found
        return found[1]

    go(page, f"{site.url}/_console/journal")
    page.wait_for_function("() => document.querySelector('[data-live-pause]').hidden === false")
    go(page, f"{site.url}/_console/comptes")
    assert eventually(lambda: waiting() == "0.0")
