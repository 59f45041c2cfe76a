"""The pages of the platform, ``/_sas/…``: signing in, searching, who its regulators are, the call from an LRM."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import wait
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, render_template, request, url_for
from requests.adapters import BaseAdapter

from mock_editor.base import codes
from mock_editor.base import forms as pages
from mock_editor.base.errors import EditorError, Issue, NotFoundError
from mock_editor.base.event_streams import EVENT_STREAM, HEARTBEAT
from mock_editor.base.forms import Forms
from mock_editor.base.http import expect_media_type, read_body
from mock_editor.base.keys import Keys
from mock_editor.base.parameters import Parameters
from mock_editor.base.store import Store
from mock_editor.base.waits import Ended, Hold, Waits
from mock_editor.base.words import french_page
from mock_editor.bench.idp.people import Person
from mock_editor.bench.live import stream
from mock_editor.bench.platform import view
from mock_editor.bench.platform.accounts import Accounts, Peer
from mock_editor.bench.platform.calls import EditorClient, TlsFiles
from mock_editor.bench.platform.directory import Directory, Offer
from mock_editor.bench.platform.search import Search, Searcher
from mock_editor.bench.platform.sign_in import CLIENT_ID, PENDING_SECONDS, RETURN_PATH, PendingSignIn, SignIn
from mock_editor.bench.platform.store import LIFETIME, PlatformStore
from mock_editor.bench.platform.view import SearchCriteria

# What the platform gives an editor to answer (guide: service level).
SECONDS = 7.0
# Whoever asks for a whole country sees the beginning of it, and so does a load test of its regulators.
MOST = 100
# Answers that come together are shown together.
_TOGETHER = 0.1
_FRAMED = ("platform", "receiver")
# It travels in a cookie, which browsers drop beyond 4096 characters.
_LONGEST_TARGET = 2000
_LARGEST_LOGOUT = 20_000
_SESSION, _FLOW = "sas_session", "sas_flow"


def blueprint(
    *,
    public_url: str,
    store: Store,
    now: Callable[[], datetime],
    waits: Waits,
    directory: Directory,
    peers: Sequence[Peer],
    people: Callable[[], Sequence[Person]],
    provider: BaseAdapter,
    files: TlsFiles,
    body_timeout: float,
    seconds: float = SECONDS,
) -> Blueprint:
    """The pages of a platform that knows the people of ``directory``, the editors ``peers`` and its own ``people``.

    ``provider`` carries calls to the files provider of the bench; editors see ``files``, and have ``seconds`` for
    each answer. A client has ``body_timeout`` seconds to send a form.
    """
    bp = Blueprint("platform", __name__, url_prefix="/_sas", template_folder="templates")
    base, secure = f"{urlsplit(public_url).path}/_sas", public_url.startswith("https:")
    state = PlatformStore(store, now)
    caller = EditorClient(seconds, files)
    accounts, searcher = Accounts(peers, caller, state, now), Searcher(peers, caller, state, now)
    keys = Keys(store)
    forms = Forms("sas", keys, public_url, seconds=body_timeout, owner=lambda: person.key if (person := who()) else "")
    issuer, back = f"{public_url}/_idp", f"{public_url}{RETURN_PATH}"
    sign_in = SignIn(people, issuer, back, provider, lambda: keys.get("sas-sign-in", view.new_secret))

    # --- what every page needs

    def page(template: str, status: int = 200, **content: Any) -> Response:
        return Response(render_template(f"platform/{template}", view=view, **content), status)

    def message(status: int, title: str, text: str) -> Response:
        return page("message.html", status, title=title, text=text)

    def who() -> Person | None:
        return state.session(request.cookies.get(_SESSION))

    def moved(url: str) -> Response:
        return Response(status=303, headers={"Location": url})

    def to_sign_in() -> Response:
        target = f"{request.path}?{request.query_string.decode('latin-1')}".rstrip("?")
        return moved(url_for("platform.enter", suite=f"{request.script_root}{target}"))

    def set_cookie(response: Response, name: str, value: str, lifetime: float) -> Response:
        response.set_cookie(name, value, max_age=int(lifetime), path=base, secure=secure, httponly=True, samesite="Lax")
        return response

    def safe_target(text: str | None) -> str:
        """A page of ours to go to; anything else would let others send people wherever they like."""
        home = url_for("platform.home")
        if not text or len(text) > _LONGEST_TARGET or "\\" in text:
            return home
        return text if text.startswith(f"{base}/") and text.isprintable() and text.isascii() else home

    def wanted() -> SearchCriteria:
        """Raises 400 for a kind of offer that there is not."""
        return view.read_criteria(Parameters(request.query_string))

    @bp.errorhandler(EditorError)
    def refuse(error: EditorError) -> Response:
        return message(error.status, *french_page(error))

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.update(pages.HEADERS_WITH_SCRIPTS)
        return response

    # The pages of what is received have the same frame, with whoever is signed in.

    @bp.app_context_processor
    def frame() -> dict[str, object]:
        return {"forms": forms, "person": who()} if request.blueprint in _FRAMED else {}

    @bp.after_app_request
    def remember(response: Response) -> Response:
        if request.blueprint in _FRAMED:
            forms.remember(response)
        return response

    # --- signing in and out

    @bp.get("/")
    def home() -> Response:
        person = who()
        statuses = view.account_statuses(peers, state.results(), person.key) if person else []
        return page("accueil.html", directory=directory, wanted=SearchCriteria(), statuses=statuses, Offer=Offer)

    @bp.get("/connexion")
    def enter() -> Response:
        target = safe_target(Parameters(request.query_string).one("suite"))
        if who():
            return moved(target)
        url, cookie = sign_in.begin(target)
        return set_cookie(moved(url), _FLOW, cookie, PENDING_SECONDS)

    @bp.get("/connexion/retour")
    def come_back() -> Response:
        parameters = Parameters(request.query_string)
        pending = sign_in.pending(request.cookies.get(_FLOW), parameters.one("state"))
        if pending is None:
            text = "Cette réponse du fournisseur d’identité n’était pas attendue, ou elle vient trop tard."
            return message(400, "Connexion interrompue", text)
        # However it ends, it is over.
        return set_cookie(come_in(pending, parameters), _FLOW, "", 0)

    def come_in(pending: PendingSignIn, parameters: Parameters) -> Response:
        """Signs in whoever the provider says has come back, if it says so."""
        if parameters.one("error") == "access_denied":
            return message(403, "Connexion refusée", "L’authentification a été refusée.")
        code = parameters.one("code")
        found = sign_in.finish(pending, code) if code else None
        if found is None:
            text = "Le fournisseur d’identité n’a pas répondu comme attendu. Réessayez dans un instant."
            return message(502, "Connexion impossible", text)
        person, sid = found
        if person.key in state.withdrawn():
            return message(403, "Accès retiré", f"L’habilitation de {person.name} a été retirée sur la plateforme SAS.")
        # Signing in is what has the platform tell the editors (INT_R02).
        accounts.tell(person, active=True)
        return set_cookie(moved(pending.target), _SESSION, state.open(person, sid), LIFETIME.total_seconds())

    @bp.post("/connexion/fin")
    def end() -> Response:
        """Where the files provider says that a session has ended (OpenID Connect Back-Channel Logout 1.0)."""
        expect_media_type(request.headers, (codes.FORM,))
        sent = Parameters(read_body(request.environ, seconds=body_timeout, limit=_LARGEST_LOGOUT))
        sid = sign_in.ended(sent.one("logout_token") or "")
        if sid is None:
            raise EditorError(400, [Issue("invalid", "Not a logout token for this client")])
        state.close_from(sid)
        return Response(status=200)

    @bp.post("/deconnexion")
    def leave() -> Response:
        # Whoever was there when the page was shown: nobody is to be thought gone who is not.
        forms.read(anybodys=True)
        state.close(request.cookies.get(_SESSION))
        # The provider's session too, or the next one would be signed in as this one; with it go those of the editors.
        query = urlencode({"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{public_url}/_sas/"})
        return set_cookie(moved(f"{issuer}/deconnexion?{query}"), _SESSION, "", 0)

    # --- searching

    @bp.get("/recherche")
    def search() -> Response:
        if not who():
            return to_sign_in()
        asked = wanted()
        content: dict[str, Any] = {"directory": directory, "wanted": asked, "Offer": Offer}
        if not asked.complete:
            return page("recherche.html", **content, live=url_for("platform.results", **asked.parameters))
        begun, total = start(asked)
        wait([call.future for call in begun.calls])
        return page("recherche.html", **content, found=view.results(begun, total))

    @bp.get("/recherche/flux")
    def results() -> Response:
        if not who():
            raise EditorError(403, [Issue("login", "Nobody is signed in")])
        asked = wanted()
        if request.method == "HEAD":
            return Response(mimetype=EVENT_STREAM)
        hold = waits.hold(request.environ)
        return stream(hold, progress(asked, hold))

    def progress(asked: SearchCriteria, hold: Hold) -> Generator[str | None]:
        begun, total = start(asked)
        for call in begun.calls:
            call.future.add_done_callback(lambda _: hold.wake())
        try:
            while True:
                # Before it is rendered: what comes meanwhile is for the next time.
                over = begun.over
                found = view.results(begun, total)
                yield render_template("platform/resultats.html", found=found, view=view)
                if over or _ends(hold.wait(HEARTBEAT)) or _ends(hold.sleep(_TOGETHER)):
                    return
        finally:
            begun.cancel()

    def start(asked: SearchCriteria) -> tuple[Search, int]:
        """Begins a search; and how many were found for it."""
        found = directory.find(asked.offer, asked.territory, asked.specialty)
        return searcher.begin(asked.offer, found[:MOST]), len(found)

    # --- regulators

    @bp.get("/regulateurs")
    def regulators() -> Response:
        statuses, withdrawn = state.results(), state.withdrawn()
        everybody = people()
        rows = [
            (one, one.key in withdrawn, view.account_statuses(peers, statuses, one.key)) for one in everybody[:MOST]
        ]
        return page("regulateurs.html", rows=rows, total=len(everybody))

    @bp.post("/regulateurs/<key>/retrait")
    def withdraw(key: str) -> Response:
        forms.read()
        person = known(key)
        state.withdraw(key)
        accounts.tell(person, active=False)
        return moved(url_for("platform.regulators"))

    @bp.post("/regulateurs/<key>/retablissement")
    def bring_back(key: str) -> Response:
        forms.read()
        person = known(key)
        state.bring_back(key)
        accounts.tell(person, active=True)
        return moved(url_for("platform.regulators"))

    def known(key: str) -> Person:
        """Raises 404."""
        for one in people():
            if one.key == key:
                return one
        raise NotFoundError(f"No regulator {key[:100]!r}")

    # --- the call from an LRM (INT_L01)

    @bp.get("/lrm")
    def contextual() -> Response:
        asked = wanted()
        url = f"{public_url}/_sas/lrm/recherche?{urlencode(asked.parameters)}"
        asks = bool(request.query_string)
        return page("lrm.html", directory=directory, wanted=asked, Offer=Offer, url=url if asks else "")

    @bp.get("/lrm/recherche")
    def call_from_lrm() -> Response:
        return moved(url_for("platform.search", **wanted().parameters))

    return bp


def _ends(ended: Ended | None) -> bool:
    return ended in (Ended.GONE, Ended.STOPPING)
