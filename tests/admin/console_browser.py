"""A browser before the console: what people read there, and the actions that they take."""

import html
import re

from werkzeug.test import TestResponse

from tests.booking.conftest import Browser
from tests.conftest import matched

Form = tuple[str, str, dict[str, str]]


class Console(Browser):
    """One person's browser on the simulator's own machine."""

    def act(self, operation: str, label: str = "", **fields: str) -> TestResponse:
        """Sends the page's form for an operation, the one whose button has this label if there are several.

        ``fields`` by the last part of their names, in addition to what the form has.
        """
        target, _, data = self.form(operation, label)
        known = {name.rpartition(".")[2]: name for name in data}
        assert set(fields) <= set(known), f"{operation} has {sorted(known)}"
        return self.post(target, **data | {known[name]: fields[name] for name in fields})

    def post(self, target: str, **fields: str) -> TestResponse:
        """Sends fields, and opens what that leads to."""
        return self._follow(self.client.post(target, data=fields), target)

    def form(self, operation: str, label: str = "") -> Form:
        """Where a form goes, the text of its buttons, and the values of its fields."""
        some = [one for one in self.forms() if one[0].endswith(f"/faire/{operation}") and label in one[1]]
        assert some, f"no form for {operation} with {label!r}: {self.forms()}"
        return some[0]

    def forms(self) -> list[Form]:
        """Those of the page."""
        found = re.findall(r'<form method="post" action="([^"]*)"[^>]*>(.*?)</form>', self.page.text, re.DOTALL)
        return [(html.unescape(target), _buttons(inside), _fields(inside)) for target, inside in found]

    @property
    def told(self) -> str:
        """What is said at the top of the page: that something has been done, or why not."""
        found = re.search(r'<(\w+) class="alert[^"]*" role="(?:status|alert)">(.*?)</\1>', self.page.text, re.DOTALL)
        return words(found[2]) if found else ""


def text(page: TestResponse) -> str:
    """What people read of a page: without tags, in single spaces."""
    return words(matched("<main.*", page.text, re.DOTALL)[0])


def words(inside: str) -> str:
    """What is read of a piece of HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", inside)).split())


def _buttons(inside: str) -> str:
    return words(" ".join(re.findall(r"<(?:button|summary)[^>]*>(.*?)</(?:button|summary)>", inside, re.DOTALL)))


def _fields(inside: str) -> dict[str, str]:
    found = {}
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", inside):
        kind, name = re.search(r'type="(\w+)"', tag), re.search(r' name="([^"]*)"', tag)
        value = re.search(r' value="([^"]*)"', tag)
        if name and not (kind and kind[1] == "checkbox" and " checked" not in tag):
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', inside, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = html.unescape(chosen[1]) if chosen else ""
    for name, value in re.findall(r'<textarea[^>]* name="([^"]*)"[^>]*>\n?(.*?)</textarea>', inside, re.DOTALL):
        found[name] = html.unescape(value)
    return found
