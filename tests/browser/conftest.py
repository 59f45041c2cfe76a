"""Browsers before a real server: who the regulators are, how the SAS finds a link, and what people do on the pages."""

import html
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
import requests

from mock_editor.base import codes
from tests.conftest import WITH_CPTS, of_type, slot_search, sos_search
from tests.wire.conftest import Simulator, form_key

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Response

NOW = "2026-11-20T08:00:00+01:00"  # a Friday
MERCIER, ROUSSEL, TESSIER = (
    f"{one}@regulation.example" for one in ("solene.mercier", "idriss.roussel", "garance.tessier")
)
# Agendas of each editor, with slots of every type there: one place each, but for Thomas, who has two.
KERVELLA, THOMAS, FORET, RENNES = "0359900017", "810100050075", "810002909371", "334173748400020"
# The badges of slots that are not for everybody.
KEPT = ("Professionnels", "SNP (SAS)", "CPTS")

OpenPage = Callable[..., "Page"]
Served = Callable[..., "Site"]


class Site:
    """A running simulator, as the SAS and its administrator see it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.url = simulator.url

    def slots(self, owner: str = KERVELLA, editor: str = "agenda-ville") -> list[dict[str, Any]]:
        """The slots that a search finds now: INT_R01, or INT_R04 or SOS Médecins at the editors for these."""
        searches: dict[str, Callable[..., str]] = {
            "agenda-cpts": partial(slot_search, extra=WITH_CPTS),
            "agenda-sos": sos_search,
        }
        search = searches.get(editor, slot_search)
        answer = requests.get(self.url + search([owner], editor=editor), timeout=20)
        assert answer.status_code == 200, answer.text
        return of_type(answer.json(), "Slot")

    def link(self, owner: str = KERVELLA, editor: str = "agenda-ville") -> str:
        """The ``comment`` of a slot that a search finds, as it stands: what the SAS shows as a link."""
        comment: str = self.slots(owner, editor)[0]["comment"]
        return comment

    def starts(self, owner: str = KERVELLA, editor: str = "agenda-ville", *, public: bool = False) -> set[str]:
        """When the slots start that a search finds now, written like ``shown_starts``; the public ones if need be."""
        found = [one for one in self.slots(owner, editor) if not public or "PUBLIC" in types(one)]
        return {f"{one['start'][8:10]} {one['start'][11:16]}" for one in found}

    def account(self, email: str, editor: str = "agenda-ville") -> dict[str, Any]:
        """An account as the administrator sees it, with its password."""
        told = requests.get(f"{self.url}/_admin/accounts", params={"editor": editor}, timeout=20).json()["accounts"]
        found: dict[str, Any] = next(one for one in told if one["resource"]["telecom"][0]["value"] == email)
        return found

    def update(self, email: str, editor: str = "agenda-ville", **changes: Any) -> None:
        """What the SAS does when something changes about a regulator: INT_R02."""
        resource = self.account(email, editor)["resource"] | changes
        [identifier] = resource["identifier"]
        answer = requests.put(
            f"{self.url}/{editor}/fhir/Practitioner",
            params={"identifier": f"{identifier['system']}|{identifier['value']}"},
            json=resource,
            timeout=20,
        )
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        requests.post(f"{self.url}/_admin/reset", timeout=20).raise_for_status()


def types(slot: dict[str, Any]) -> set[str]:
    """The codes of a slot's types."""
    return {one["code"] for one in slot["meta"]["security"] if one["system"] == codes.SLOT_TYPE}


@contextmanager
def running(folder: Path, *options: str, log: Path | None = None, **environment: str) -> Iterator[Site]:
    """A server of the default scenario, at a fixed time."""
    simulator = Simulator(folder, "--now", NOW, *options, log=log, **environment)
    try:
        yield Site(simulator)
    finally:
        # Not killed: its workers would notice a second later, and hold the pipes until then.
        simulator.process.terminate()
        try:
            simulator.process.communicate(timeout=10)
        finally:
            simulator.process.kill()


@pytest.fixture(scope="package")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The server that most tests share, as at its start."""
    shared_site.reset()
    return shared_site


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Served]:
    """Starts servers of the test's own."""
    with ExitStack() as stack:
        yield lambda *options, **environment: stack.enter_context(running(tmp_path, *options, **environment))


@pytest.fixture(scope="package")
def chromium() -> Iterator["Browser"]:
    """The browser. Not for the whole session: as long as it is there, the thread's event loop counts as running."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: "Browser") -> Iterator[OpenPage]:
    """Opens a page in a browser of its own; ``page.context.new_page()`` is another tab of it."""
    contexts = []

    def new(**options: Any) -> "Page":
        contexts.append(chromium.new_context(**{"viewport": {"width": 800, "height": 600}} | options))
        contexts[-1].set_default_timeout(10_000)
        return contexts[-1].new_page()

    yield new
    for context in contexts:
        context.close()


# --- what people do and see


def press(page: "Page", name: str | re.Pattern[str], role: Literal["button", "link"] = "button") -> "Response":
    """Presses a button, or follows a link, and returns the answer that it ends at."""
    return led(page, page.get_by_role(role, name=name).click)


def led(page: "Page", action: Callable[[], object]) -> "Response":
    """The answer at which an action ends."""
    with page.expect_navigation() as navigation:
        action()
    assert navigation.value
    settle(page)
    return navigation.value


def go(page: "Page", url: str) -> "Response":
    answer = page.goto(url)
    assert answer
    settle(page)
    return answer


def settle(page: "Page") -> None:
    """Waits for the focus to be where the URL's fragment leads: a browser takes it there after the page has loaded."""
    fragment = urlsplit(page.url).fragment
    if fragment:
        page.locator(f"[id='{fragment}'][tabindex]:not(:focus)").wait_for(state="detached")


def title(page: "Page") -> str:
    return page.get_by_role("heading", level=1).inner_text()


def told(answer: requests.Response) -> tuple[int, str]:
    """The status and the heading of a page that was got without a browser."""
    heading = re.search(r"<h1>(.*?)</h1>", answer.text)
    assert heading, answer.text
    return answer.status_code, html.unescape(heading[1])


def at_provider(page: "Page") -> bool:
    return "/_idp/" in page.url


def choose(page: "Page", name: str) -> "Response":
    """Signs in at the embedded provider."""
    assert at_provider(page), page.url
    page.get_by_role("radio", name=name).check()
    return press(page, "Se connecter")


def accept_terms(page: "Page") -> "Response":
    assert title(page) == "Conditions générales d’utilisation"
    return press(page, "J’accepte les conditions")


def come_from_sas(page: "Page", link: str, name: str = "Solène MERCIER", origin: str = "&origin=sas") -> "Response":
    """Does all that leads a regulator from the SAS to the agenda for the first time."""
    go(page, link + origin)
    choose(page, name)
    return accept_terms(page)


def arrive(page: "Page", link: str, person: str = "mercier") -> None:
    """The same where it is not what matters, in half the time: the browser does the last step only."""
    root, slug = link.split("/agenda/")[0].rsplit("/", 1)
    with requests.Session() as session:
        asked = re.search(r'name="demande" value="([^"]*)"', session.get(f"{link}&origin=sas", timeout=20).text)
        assert asked
        shown = session.post(f"{root}/_idp/connexion", data={"demande": asked[1], "personne": person}, timeout=20)
        terms = {"jeton": form_key(shown.text), "accepter": "1"}
        session.post(f"{root}/{slug}/cgu", data=terms, timeout=20).raise_for_status()
        cookies: Any = [
            {name: getattr(one, name) for name in ("name", "value", "domain", "path")} for one in session.cookies
        ]
    page.context.add_cookies(cookies)
    go(page, f"{link}&origin=sas")
    assert title(page).startswith("Agenda : ")


def log_in(page: "Page", email: str, password: str) -> "Response":
    """Signs in at the editor's own page."""
    assert title(page) == "Connexion"
    page.get_by_label("Adresse e-mail").fill(email)
    page.get_by_label("Mot de passe").fill(password)
    return press(page, "Se connecter")


def slots(page: "Page") -> "Locator":
    """Those that an agenda page shows and that can be booked there."""
    return page.get_by_role("link", name=re.compile("^Réserver "))


def start_of(text: str) -> str:
    """The « 20 09:15 » of a slot's link."""
    found = re.search(r"(\d+)(?:er)? \S+ \d{4} à (\d\d:\d\d)", text)
    assert found, text
    return f"{int(found[1]):02} {found[2]}"


def shown_starts(page: "Page") -> set[str]:
    """When the slots of an agenda page start."""
    return {start_of(text) for text in slots(page).all_text_contents()}


def badges(page: "Page") -> set[str]:
    return set(page.locator(".type").all_text_contents())


def confirm(page: "Page", patient: str = "Fictif") -> "Response":
    """Fills in the form of a slot and sends it."""
    page.get_by_label("Nom du patient", exact=True).fill(patient)
    return press(page, "Confirmer le rendez-vous")


def book(page: "Page", patient: str = "Fictif") -> str:
    """Books the first slot of an agenda page; returns when it starts."""
    asked = slots(page).first
    start = start_of(asked.inner_text())
    led(page, asked.click)
    assert title(page) == "Prendre rendez-vous"
    assert confirm(page, patient).status == 200
    assert page.get_by_role("status").inner_text() == "Le rendez-vous est pris."
    return start


def tab_to(page: "Page", name: str) -> str:
    """Presses Tab until what has the focus is called like that; returns its whole text."""
    for _ in range(100):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        text = focused.evaluate("one => one.labels?.[0]?.innerText || one.innerText")
        if text.strip().startswith(name):
            return str(text)
    raise AssertionError(f"Tab does not lead to {name!r} on {page.url}")


def enter(page: "Page") -> "Response":
    return led(page, lambda: page.keyboard.press("Enter"))


def redirects(answer: "Response") -> int:
    """How many there were on the way to an answer."""
    count, request = 0, answer.request
    while request.redirected_from:
        count, request = count + 1, request.redirected_from
    return count


def return_url(page: "Page", person: str = "mercier") -> str:
    """Where the embedded provider would send a browser that waits on its page; the browser does not go there yet."""
    demand = page.locator("input[name=demande]").first.input_value()
    url = page.url.partition("/_idp/")[0] + "/_idp/connexion"
    answer = requests.post(url, data={"demande": demand, "personne": person}, allow_redirects=False, timeout=20)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]
