"""The pages of the platform, ``/_sas/…``: signing in, searching, the regulators, the call from an LRM."""

from collections.abc import Generator
from concurrent.futures import wait
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for

from mock_editor.base import codes
from mock_editor.base import forms as pages
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.event_streams import EVENT_STREAM, HEARTBEAT
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.base.paths import Surface
from mock_editor.base.waits import Ended, Hold
from mock_editor.base.words import french_page
from mock_editor.base.worlds import of_world
from mock_editor.bench.idp.people import Person
from mock_editor.bench.live import stream
from mock_editor.bench.platform import view
from mock_editor.bench.platform.directory import Offer
from mock_editor.bench.platform.platform import SESSION, Platform
from mock_editor.bench.platform.search import Search
from mock_editor.bench.platform.sign_in import CLIENT_ID, PENDING_SECONDS, PendingSignIn
from mock_editor.bench.platform.store import LIFETIME
from mock_editor.bench.platform.view import SearchCriteria

# Items of a list that are shown: a search for a whole country, or a load test's regulators, may give many more.
MOST = 100
# Seconds in which answers are gathered, to be shown together.
_TOGETHER = 0.1
_FRAMED = ("platform", "receiver")
# The target travels in a cookie, and browsers drop cookies longer than 4096 characters.
_LONGEST_TARGET = 2000
_LARGEST_LOGOUT = 20_000
_FLOW = "sas_flow"


bp = Blueprint("platform", __name__, url_prefix=f"/{Surface.SAS}", template_folder="templates")


def _platform() -> Platform:
    return of_world(Platform)


# --- what every page needs


def _page(template: str, status: int = 200, **content: Any) -> Response:
    return Response(render_template(f"platform/{template}", view=view, **content), status)


def _moved(url: str) -> Response:
    return Response(status=303, headers={"Location": url})


def _to_sign_in() -> Response:
    target = f"{request.path}?{request.query_string.decode('latin-1')}".rstrip("?")
    return _moved(url_for("platform.enter", suite=f"{request.script_root}{target}"))


def _set_cookie(response: Response, name: str, value: str, lifetime: float) -> Response:
    platform = _platform()
    secure = platform.public_url.startswith("https:")
    response.set_cookie(
        name, value, max_age=int(lifetime), path=platform.base, secure=secure, httponly=True, samesite="Lax"
    )
    return response


def _safe_target(text: str | None) -> str:
    """A page of ours to go to; accepting other URLs would let anybody redirect people anywhere."""
    home = url_for("platform.home")
    if not text or len(text) > _LONGEST_TARGET or "\\" in text:
        return home
    return text if text.startswith(f"{_platform().base}/") and text.isprintable() and text.isascii() else home


def _wanted() -> SearchCriteria:
    """The search that is asked for. Raises 400 for an unknown kind of offer."""
    return view.read_criteria(Parameters(request.query_string))


@bp.errorhandler(EditorError)
def refuse(error: EditorError) -> Response:
    """Shows a refusal as a page."""
    title, text = french_page(error)
    return _page("message.html", error.status, title=title, text=text)


@bp.after_request
def protect(response: Response) -> Response:
    """Allows our own scripts in our pages."""
    response.headers.update(pages.HEADERS_WITH_SCRIPTS)
    return response


# The receiver's pages have the same frame, with the person signed in.


@bp.app_context_processor
def frame() -> dict[str, object]:
    """The variables that the layout of both parts of the SAS needs."""
    return {"forms": _platform().forms, "person": _platform().visitor()} if request.blueprint in _FRAMED else {}


@bp.after_app_request
def remember(response: Response) -> Response:
    """Sets the cookie of the forms of a page."""
    if request.blueprint in _FRAMED:
        _platform().forms.remember(response)
    return response


# --- signing in and out


@bp.get("/")
def home() -> Response:
    """The first page."""
    person = _platform().visitor()
    statuses = view.account_statuses(_platform().peers, _platform().store.results(), person.key) if person else []
    return _page(
        "accueil.html", directory=_platform().directory, wanted=SearchCriteria(), statuses=statuses, Offer=Offer
    )


@bp.get("/connexion")
def enter() -> Response:
    """Sends a person who is not signed in to the identity provider."""
    target = _safe_target(Parameters(request.query_string).one("suite"))
    if _platform().visitor():
        return _moved(target)
    url, cookie = _platform().sign_in.begin(target)
    return _set_cookie(_moved(url), _FLOW, cookie, PENDING_SECONDS)


@bp.get("/connexion/retour")
def come_back() -> Response:
    """The page to which the identity provider sends people back."""
    parameters = Parameters(request.query_string)
    pending = _platform().sign_in.pending(request.cookies.get(_FLOW), parameters.one("state"))
    if pending is None:
        return refuse(refused(Code.SAS_SIGN_IN_UNEXPECTED))
    # The sign-in is over, whatever its result.
    return _set_cookie(_come_in(pending, parameters), _FLOW, "", 0)


def _come_in(pending: PendingSignIn, parameters: Parameters) -> Response:
    """Signs in the person whom the provider names, if it does."""
    if parameters.one("error") == "access_denied":
        return refuse(refused(Code.SAS_SIGN_IN_DENIED))
    code = parameters.one("code")
    signed_in = _platform().sign_in.finish(pending, code) if code else None
    if signed_in is None:
        return refuse(refused(Code.SAS_SIGN_IN_FAILED))
    person, sid = signed_in
    if person.key in _platform().store.withdrawn():
        return refuse(refused(Code.SAS_SIGN_IN_WITHDRAWN, person=person.name))
    # At sign-in, the platform sends the account to the editors (INT_R02).
    _platform().accounts.tell(person, active=True)
    return _set_cookie(_moved(pending.target), SESSION, _platform().store.open(person, sid), LIFETIME.total_seconds())


@bp.post("/connexion/fin")
def end() -> Response:
    """Takes the identity provider's notice that a session has ended (OpenID Connect Back-Channel Logout 1.0)."""
    expect_media_type(request.headers, (codes.FORM,))
    sent = Parameters(read_body(request.environ, seconds=_platform().body_timeout, limit=_LARGEST_LOGOUT))
    sid = _platform().sign_in.ended(sent.one("logout_token") or "")
    if sid is None:
        raise refused(Code.LOGOUT_TOKEN)
    _platform().store.close_from(sid)
    return Response(status=200)


@bp.post("/deconnexion")
def leave() -> Response:
    """Signs out."""
    # Accepted whoever the page was shown to: otherwise somebody could believe they are signed out when they are not.
    _platform().forms.read(anybodys=True)
    _platform().store.close(request.cookies.get(SESSION))
    # The provider's session ends too, or the next person would be signed in as this one; the editors' end with it.
    query = urlencode({"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{_platform().public_url}/_sas/"})
    return _set_cookie(_moved(f"{_platform().issuer}/deconnexion?{query}"), SESSION, "", 0)


# --- searching


@bp.get("/recherche")
def search() -> Response:
    """The page of a search."""
    if not _platform().visitor():
        return _to_sign_in()
    asked = _wanted()
    content: dict[str, Any] = {"directory": _platform().directory, "wanted": asked, "Offer": Offer}
    if not asked.complete:
        return _page("recherche.html", **content, live=url_for("platform.results", **asked.parameters))
    begun, total = _start(asked)
    wait([call.future for call in begun.calls])
    return _page("recherche.html", **content, found=view.results(begun, total))


@bp.get("/recherche/flux")
def results() -> Response:
    """The results of a search as they come."""
    if not _platform().visitor():
        raise refused(Code.NOBODY_SIGNED_IN)
    asked = _wanted()
    if request.method == "HEAD":
        return Response(mimetype=EVENT_STREAM)
    hold = _platform().waits.hold(request.environ)
    return stream(hold, _progress(asked, hold))


def _progress(asked: SearchCriteria, hold: Hold) -> Generator[str | None]:
    begun, total = _start(asked)
    for call in begun.calls:
        call.future.add_done_callback(lambda _: hold.wake())
    try:
        while True:
            # Cleared before rendering: what comes in the meantime is shown the next time.
            over = begun.over
            found = view.results(begun, total)
            yield render_template("platform/resultats.html", found=found, view=view)
            if over or _ends(hold.wait(HEARTBEAT)) or _ends(hold.sleep(_TOGETHER)):
                return
    finally:
        begun.cancel()


def _start(asked: SearchCriteria) -> tuple[Search, int]:
    """Begins a search; returns it, and how many matches the directory has."""
    listed = _platform().directory.find(asked.offer, asked.territory, asked.specialty)
    return _platform().searcher.begin(asked.offer, listed[:MOST]), len(listed)


# --- regulators


@bp.get("/regulateurs")
def regulators() -> Response:
    """The page of all regulators, with their accounts."""
    statuses, withdrawn = _platform().store.results(), _platform().store.withdrawn()
    everybody = _platform().people()
    rows = [
        (person, person.key in withdrawn, view.account_statuses(_platform().peers, statuses, person.key))
        for person in everybody[:MOST]
    ]
    return _page("regulateurs.html", rows=rows, total=len(everybody))


@bp.post("/regulateurs/<key>/retrait")
def withdraw(key: str) -> Response:
    """Withdraws a regulator."""
    _platform().forms.read()
    person = _known(key)
    _platform().store.withdraw(key)
    _platform().accounts.tell(person, active=False)
    return _moved(url_for("platform.regulators"))


@bp.post("/regulateurs/<key>/retablissement")
def bring_back(key: str) -> Response:
    """Lets a regulator in again."""
    _platform().forms.read()
    person = _known(key)
    _platform().store.bring_back(key)
    _platform().accounts.tell(person, active=True)
    return _moved(url_for("platform.regulators"))


def _known(key: str) -> Person:
    """The person with this key. Raises 404."""
    for person in _platform().people():
        if person.key == key:
            return person
    raise refused(Code.SAS_REGULATOR_UNKNOWN, key=key[:100])


# --- the call from an LRM (INT_L01)


@bp.get("/lrm")
def contextual() -> Response:
    """The page of the call from an LRM."""
    asked = _wanted()
    url = f"{_platform().public_url}/_sas/lrm/recherche?{urlencode(asked.parameters)}"
    asks = bool(request.query_string)
    return _page("lrm.html", directory=_platform().directory, wanted=asked, Offer=Offer, url=url if asks else "")


@bp.get("/lrm/recherche")
def call_from_lrm() -> Response:
    """Where the call from an LRM leads."""
    return _moved(url_for("platform.search", **_wanted().parameters))


def _ends(ended: Ended | None) -> bool:
    return ended in (Ended.GONE, Ended.STOPPING)
