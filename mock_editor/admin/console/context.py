"""What every page of the console needs: the world in play, forms, what is said at its top, and where it leads."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo

from flask import Response, current_app, g, render_template, request, url_for
from werkzeug.urls import iri_to_uri

from mock_editor.admin.console.fields import Typed
from mock_editor.admin.guard import Guard
from mock_editor.admin.operation import Control
from mock_editor.base.errors import refused
from mock_editor.base.forms import Forms
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.base.worlds import of_world
from mock_editor.base.zones import DEFAULT_ZONE
from mock_editor.booking import week
from mock_editor.calendars.model import Editor
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.world import World

PREFIX = "/_console"
# The bar at the top: the endpoint that an entry leads to, its words, and the other endpoints that are below it.
NAVIGATION: Sequence[tuple[str, str, Sequence[str]]] = (
    ("tour", "Visite guidée", ()),
    ("home", "Tableau de bord", ()),
    ("calendars", "Agendas", ("calendar",)),
    ("accounts", "Régulateurs", ("account",)),
    ("appointments", "Rendez-vous", ("appointment", "choose_slot", "choose_practitioner", "find_practitioner")),
    ("outbox", "Notifications", ("notification",)),
    ("journal", "Journal", ("exchange",)),
    ("faults", "Pannes", ("fault", "fault_kinds", "new_fault")),
    ("scenario", "Scénario", ("scenario_text", "scenario_own")),
    ("clock", "Horloge", ()),
)
_NOTICE = "message"
_LONGEST_NOTICE = 400


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said at the top of a page: what has been done, or what was refused, with its details."""

    text: str
    well: bool = True
    title: str = ""
    details: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """A form that was refused: what was typed, and by field what is wrong with it."""

    operation: str
    typed: Typed
    wrong: Mapping[str, str] = field(default_factory=dict)


class Route(NamedTuple):
    """A page, or what a page sends its forms to: its path below the console's, and the view, which names it.

    A view gets the console of its request's world, and the parts of the path by name.
    """

    rule: str
    view: Callable[..., Response]
    method: str = "GET"


class Console:
    """The console of one world. ``control`` is what operations work with."""

    def __init__(self, world: World, simulator: Simulator, guard: Guard) -> None:
        self.world, self.simulator, self.guard = world, simulator, guard
        self.control = Control(world, simulator)
        self.forms = Forms(
            "console",
            world.keys,
            world.public_url,
            seconds=world.settings.body_timeout,
            secure=lambda: self.secure,
        )
        public = urlsplit(world.public_url)
        self.base = public.path
        self.path = f"{self.base}{PREFIX}"
        self._https = public.scheme == "https"

    @property
    def secure(self) -> bool:
        """Whether cookies are for HTTPS only. On this machine it is plain HTTP, whatever the public URL is."""
        return self._https and not self.guard.from_here()

    @cached_property
    def zone(self) -> ZoneInfo:
        """Where the people who look at the console are taken to be: with the first editor."""
        return next((one.zone for one in self.world.catalogue.editors.values()), DEFAULT_ZONE)

    # --- showing

    def show(self, template: str, status: int = 200, **content: Any) -> Response:
        """A page, of a template of ``templates/console``."""
        response = Response(self.drawn(template, **content), status)
        notice = _read_notice(request.cookies.get(_NOTICE))
        if notice:
            response.delete_cookie(_NOTICE, path=self.path, httponly=True, samesite="Lax")
        return response

    def drawn(self, template: str, **content: Any) -> str:
        """The same as a text: a page, or a part of one that is shown live."""
        self.begin()
        return render_template(f"console/{template}", console=self, view=week, **content)

    def begin(self) -> None:
        """What macros find in ``g``: they see nothing else of the request."""
        g.console = self

    @property
    def notice(self) -> Notice | None:
        """What is to be said at the top of the page in the making."""
        found: Notice | None = g.get("console_notice") or _read_notice(request.cookies.get(_NOTICE))
        return found

    @property
    def refused(self) -> RefusedForm | None:
        """The form that comes back with what was typed."""
        found: RefusedForm | None = g.get("console_refused")
        return found

    def form(self, operation: str, path: Mapping[str, str]) -> "Form":
        """A form for an operation, on the page in the making. ``path`` says upon what."""
        g.console_forms = number = g.get("console_forms", 0) + 1
        refused = self.refused
        mine = refused is not None and refused.operation == operation
        if refused and mine:
            mine = all(refused.typed.get(f"path.{name}", [str(one)])[-1] == str(one) for name, one in path.items())
        return Form(f"f{number}", refused if mine else None)

    @property
    def guest(self) -> bool:
        """Whether somebody is there who has come with the token, and may leave."""
        return not self.guard.from_here()

    @property
    def navigation(self) -> list[tuple[str, str, bool]]:
        """The entries of the bar: where they lead, their words, whether the page in the making is below them."""
        here = (request.endpoint or "").removeprefix("console.")
        return [
            (url_for(f"console.{endpoint}"), words, here == endpoint or here in below)
            for endpoint, words, below in NAVIGATION
            if f"console.{endpoint}" in current_app.view_functions
        ]

    @property
    def elsewhere(self) -> list[tuple[str, str]]:
        """What the bar leads to besides: URLs and words."""
        public = self.world.public_url
        found = []
        if self.world.settings.shows_bench and current_app.url_map.bind("").test("/_sas/"):
            found.append((f"{public}/_sas/", "Banc SAS"))
        return found

    # --- where to

    @property
    def here(self) -> str:
        """The page in the making, as a form's ``vers`` names it."""
        return iri_to_uri(request.full_path.rstrip("?"))

    def to(self, endpoint: str, **values: Any) -> str:
        """A page of the console, as a form's ``vers`` names it."""
        return url_for(f"console.{endpoint}", **values).removeprefix(self.base)

    def back(self, target: str, well: str = "") -> Response:
        """Leads to a page of the console, at the top of which ``well`` is said."""
        response = redirect(f"{self.base}{target}")
        if well:
            response.set_cookie(
                _NOTICE,
                quote(well[:_LONGEST_NOTICE]),
                path=self.path,
                secure=self.secure,
                httponly=True,
                samesite="Lax",
            )
        return response

    # --- words

    def instant(self, at: datetime) -> str:
        """« 20/11/2026 à 08:00:00,123 », in the zone of the console."""
        there = at.astimezone(self.zone)
        return f"{there:%d/%m/%Y à %H:%M:%S},{there.microsecond // 1000:03}"

    def duration(self, milliseconds: float | None) -> str:
        """« 0,8 ms », « 12 ms », « 2,5 s »; a dash for none."""
        if milliseconds is None:
            return "–"
        value, unit = (milliseconds, "ms") if milliseconds < 1000 else (milliseconds / 1000, "s")
        digits = 1 if value < 10 else 0
        return f"{value:.{digits}f} {unit}".replace(".", ",")

    # --- what is asked

    def asked(self) -> Parameters:
        """The query of the request."""
        return Parameters(request.query_string)

    def asked_editors(self) -> tuple[str | None, list[Editor]]:
        """The slug by which a list is filtered (``?editeur=``), and the editors that it leaves. Raises 404."""
        catalogue = self.world.catalogue
        slug = self.asked().one("editeur")
        return slug, [catalogue.editor(slug)] if slug else list(catalogue.editors.values())


def this_console() -> Console:
    """The console of the world that the request at hand is for."""
    if "console" not in g:
        g.console = Console(of_world(World), of_world(Simulator), of_world(Guard))
    console: Console = g.console
    return console


class Form:
    """A form on the page in the making: the ids of its fields, and what was typed before it was refused."""

    def __init__(self, key: str, refused: RefusedForm | None) -> None:
        self._key = key
        self._refused = refused

    def id(self, name: str) -> str:
        """Of a field, on this page."""
        return f"{self._key}-{name}"

    def value(self, name: str, usual: Any = "") -> str:
        """What a field is to show."""
        return self.values(name, [usual])[-1]

    def values(self, name: str, usual: Sequence[Any] = ()) -> Sequence[str]:
        """What a field with several values is to show."""
        if self._refused is None:
            return ["" if one is None else str(one) for one in usual]
        return self._refused.typed.get(name) or [""]

    def wrong(self, name: str) -> str:
        """What was wrong with a field."""
        return self._refused.wrong.get(name.removesuffix("!"), "") if self._refused else ""


def redirect(target: str) -> Response:
    """Leads a browser to a URL, which it gets."""
    return Response(status=303, headers={"Location": target})


def inside(target: str | None) -> str:
    """Where somebody wanted to go, if that is a page of the console; else its first one."""
    home = f"{PREFIX}/"
    if not target or not re.fullmatch(f"{PREFIX}/[!-~]*", target) or "\\" in target:
        return home
    # A browser would leave the console by these.
    steps = unquote(re.split("[?#]", target)[0]).split("/")
    return home if "." in steps or ".." in steps else target


def number(text: str | None, most: int = 2**53) -> int | None:
    """A whole number of a query, from 0 to ``most``; None for anything else."""
    return int(text) if text and re.fullmatch("[0-9]{1,16}", text) and int(text) <= most else None


def chosen(text: str | None, kinds: type[Any]) -> Any:
    """The member of an enumeration by which a list is filtered; None without one. Raises 404."""
    try:
        return kinds(text) if text else None
    except ValueError:
        raise refused(Code.NO_SUCH_PAGE) from None


def _read_notice(cookie: str | None) -> Notice | None:
    return Notice(unquote(cookie[: 9 * _LONGEST_NOTICE], errors="replace")) if cookie else None
