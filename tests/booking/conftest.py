"""A browser without JavaScript: follows the links and sends the forms of the pages."""

import html
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import PUBLIC_URL, matched

AGENDA = "/agenda-ville/agenda/810100050075?lieu=1"
MERCIER, ROUSSEL, TESSIER, VASSEUR = "mercier", "roussel", "tessier", "vasseur"


class Browser:
    """One person's browser. ``page`` is the last answer."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()
        self.page: TestResponse
        self.visited: list[str] = []

    def open(self, url: str) -> TestResponse:
        """Opens a URL and whatever it leads to."""
        return self._follow(self.client.get(url.removeprefix(PUBLIC_URL)), url)

    def send(self, action: str, **fields: str) -> TestResponse:
        """Sends the page's form with this end of its ``action``, its hidden fields as they are."""
        for found in re.findall(r"<form.*?</form>", self.page.text, re.DOTALL):
            target = html.unescape(matched(r'action="([^"]*)"', found)[1]) if 'action="' in found else self.visited[-1]
            if target.partition("?")[0].endswith(action):
                hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found))
                data = {name: html.unescape(value) for name, value in hidden.items()} | fields
                return self._follow(self.client.post(target, data=data), target)
        raise AssertionError(f"no form {action} on {self.page.text}")

    def links(self, part: str) -> list[str]:
        """Where the links of the page lead whose URL has this part."""
        found = map(html.unescape, re.findall(r'<a [^>]*href="([^"]*)"', self.page.text))
        return [link for link in found if part in link]

    @property
    def title(self) -> str:
        """The heading of the page."""
        return html.unescape(matched(r"<h1>(.*?)</h1>", self.page.text, re.DOTALL)[1])

    def _follow(self, answer: TestResponse, url: str) -> TestResponse:
        self.visited.append(url)
        for _ in range(8):
            assert answer.content_type
            if answer.status_code not in (302, 303):
                self.page = answer
                return answer
            url = answer.headers["Location"]
            self.visited.append(url)
            answer = self.client.get(url.removeprefix(PUBLIC_URL))
        raise AssertionError(f"too many redirects: {self.visited}")

    # --- what people do

    def choose(self, person: str) -> TestResponse:
        """Signs in at the identity provider."""
        assert "/_idp/authorize" in self.visited[-1]
        forms = re.findall(r"<form.*?</form>", self.page.text, re.DOTALL)
        demand = matched(r'name="demande" value="([^"]*)"', forms[-1])[1]
        data = {"demande": html.unescape(demand), "personne": person}
        return self._follow(self.client.post("/_idp/connexion", data=data), "/_idp/connexion")

    def arrive(self, person: str = MERCIER, url: str = AGENDA) -> TestResponse:
        """Comes from the SAS, to the page of ``url``, for the first time."""
        self.open(f"{url}&origin=sas")
        self.choose(person)
        return self.send("/cgu", accepter="1")

    def visit(self, url: str = AGENDA) -> TestResponse:
        """Comes without an account."""
        self.open(url)
        return self.send("/visite")

    def book(self, rank: int = 0, patient: str = "Fictif") -> str:
        """Books a slot of the agenda on the page; returns the appointment's URL."""
        self.open(self.links("/reserver")[rank])
        self.send("/reserver", nom=patient, prenom="Zoé")
        assert self.title == "Rendez-vous", self.page.text
        return urlsplit(self.visited[-1]).path


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def new_browser(app: Flask) -> Callable[[], Browser]:
    """Other people's browsers."""
    return lambda: Browser(app)
