"""Which flow of the guide, or which other surface of the simulator, an exchange belongs to."""

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import unquote_plus

from mock_editor.base.paths import Surface, classify

_SERVICE = "service-type-reference"
_CPTS = f"=Slot:{_SERVICE}"


class Flow(StrEnum):
    """What an exchange is about."""

    INT_R01 = "INT_R01"
    INT_R02 = "INT_R02"
    INT_R03 = "INT_R03"
    INT_R04 = "INT_R04"
    SOS = "SOS"
    SSO = "SSO"
    WEB = "web"
    METADATA = "metadata"
    READ = "read"
    SAS = "sas"
    IDP = "idp"
    OTHER = "other"


# Slot searches: answered from the scenario alone.
SEARCHES = frozenset({Flow.INT_R01, Flow.INT_R04, Flow.SOS})
_OTHERS = {Surface.SAS: Flow.SAS, Surface.IDP: Flow.IDP}


def flow_of(method: str, path: str, query: str, editors: Collection[str], form: bytes = b"") -> tuple[str | None, Flow]:
    """The editor, if it is one of ``editors``, and the flow of a request that is received.

    ``path`` has no escapes any more, ``query`` still has them; ``form`` is the body of a posted search.
    """
    meaning = classify(path)
    editor = meaning.editor
    if editor not in editors:
        return None, _OTHERS.get(meaning.surface, Flow.OTHER)
    if not meaning.fhir:
        return editor, Flow.SSO if meaning.kind == "sso" else Flow.WEB
    return editor, _fhir_flow(method, meaning.kind, meaning.rest.rstrip("/"), query, form)


def _fhir_flow(method: str, kind: str, rest: str, query: str, form: bytes) -> Flow:
    searched = rest in ("", "_search")
    if kind == "Slot" and searched:
        cpts = _asks_for_cpts(query) or (form and _asks_for_cpts(form.decode("utf-8", "replace")))
        return Flow.INT_R04 if cpts else Flow.INT_R01
    if kind == "Schedule" and searched:
        return Flow.SOS
    if kind == "Practitioner" and method in ("POST", "PUT") and rest != "_search":
        return Flow.INT_R02
    return Flow.METADATA if kind == "metadata" else Flow.READ


def _asks_for_cpts(query: str) -> bool:
    # Looked for undecoded first, because it is rare, and decoding takes longer than all the rest.
    return _SERVICE in query and any(
        unquote_plus(part).startswith("_include") and _CPTS in unquote_plus(part)
        for part in query.split("&")
        if _SERVICE in part
    )
