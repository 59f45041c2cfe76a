"""The journal: every exchange with an editor, in a list that can be filtered and followed, and one by one."""

import re
import shlex
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from flask import Response

from mock_editor.admin.console import live, words
from mock_editor.admin.console.context import Console, Form, RefusedForm, Route, number
from mock_editor.admin.console.fields import flat
from mock_editor.admin.console.kinds import summary
from mock_editor.admin.console.words import FLOWS
from mock_editor.admin.operation import check, read_texts
from mock_editor.admin.operations.journal import Exchange, Filter, kept, shown
from mock_editor.base.applied_rules import AppliedRule
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Issue
from mock_editor.base.paths import classify
from mock_editor.base.waits import Hold
from mock_editor.base.words import french
from mock_editor.faults.catalogue import catalogue
from mock_editor.faults.engine import UnknownRuleError
from mock_editor.faults.words import French
from mock_editor.journal.filters import EntryFilter
from mock_editor.journal.model import EntrySummary

_ROWS = 50
_DIRECTIONS = {"in": "reçu", "out": "envoyé"}
_STATUSES = {
    "2xx": "2xx, succès",
    "3xx": "3xx, redirection",
    "4xx": "4xx, refus",
    "5xx": "5xx, erreur",
    "none": "sans réponse",
}
# A text, even one that does not end; a sign between values; any other value.
_PART = re.compile(r'"(?:\\.|[^"\\])*"?|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_DEEPEST = 100
# What curl says by itself.
_OWN_HEADERS = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is filtered by: as typed, as the journal takes it, and as the query of a link says it."""

    form: Form
    wanted: EntryFilter
    texts: dict[str, str]
    issues: Sequence[Issue]


def journal(console: Console) -> Response:
    asked, parameters = _asked(console), console.asked()
    before, after = number(parameters.one("avant")), number(parameters.one("apres"))
    console.simulator.journal.fresh()
    # Looked at first: the stream brings what comes after that.
    totals = console.simulator.journal.entries.totals()
    found = [] if asked.issues else console.simulator.journal.entries.summaries(_page(asked.wanted, before, after))
    return console.show(
        "journal.html",
        422 if asked.issues else 200,
        asked=asked,
        wrong=words.details(asked.issues),
        found=sorted(found, key=lambda entry: -entry.id),
        totals=totals,
        first=before is None and after is None,
        more=len(found) == _ROWS or after is not None,
        most=_ROWS,
        shown=_shown,
        flows=[("", "tous"), *FLOWS.items()],
        directions=[("", "les deux"), *_DIRECTIONS.items()],
        statuses=[("", "tous"), *_STATUSES.items()],
        editors=[("", "tous"), *((one.slug, one.name) for one in console.world.catalogue.editors.values())],
    )


def journal_live(console: Console) -> Response:
    asked = _asked(console)
    if asked.issues:
        raise EditorError(422, asked.issues)

    after = number(live.seen(console))

    def source(hold: Hold) -> Generator[list[EntrySummary]]:
        return console.simulator.journal.follow_briefly(asked.wanted, hold, live.PACE, after)

    def draw(some: list[EntrySummary]) -> str:
        return console.drawn("journal_lignes.html", found=some, shown=_shown) if some else ""

    return live.follow(console, source, draw, lambda some: some[0].id if some else "")


def exchange(console: Console, identifier: str) -> Response:
    entry = kept(console.control, number(identifier) or 0)
    one = shown(entry)
    return console.show(
        "echange.html",
        one=one,
        incident=french(entry.error) if entry.error else "",
        flows=FLOWS,
        directions=_DIRECTIONS,
        rule=_rule(console, entry.rule) if entry.rule else None,
        indented=indented,
        curl=_curl(console, one),
    )


def _asked(console: Console) -> Asked:
    """The filters of the query, by the names that the admin API has for them."""
    parameters = console.asked()
    typed = {name: parameters.all(name)[-1:] for name in parameters.names() if name in Filter.model_fields}
    texts = flat(Filter, typed, console.zone)
    issues: list[Issue] = []
    found: Filter | None = check(Filter, orjson.dumps(read_texts(Filter, texts)), "query", issues)
    wrong = {one.place or "": french(one) for one in issues}
    form = Form("filtre", RefusedForm("", typed, {name.removeprefix("query."): what for name, what in wrong.items()}))
    wanted = found.wanted() if found else EntryFilter()
    return Asked(form, replace(wanted, limit=_ROWS), texts, issues)


def _page(wanted: EntryFilter, before: int | None, after: int | None) -> EntryFilter:
    """The page of the list before an id, after one, or the newest."""
    if after is None:
        return replace(wanted, before=before)
    return replace(wanted, after=after, oldest_first=True)


def _shown(one: EntrySummary) -> dict[str, Any]:
    """What the list says of an entry."""
    return {
        "flow": FLOWS[one.flow].partition(",")[0],
        "direction": _DIRECTIONS[one.direction],
        "path": one.url.partition("?")[0],
        "rule": one.rule.name if one.rule else "",
    }


def indented(text: str) -> str:
    """JSON in lines, whole or cut off anywhere; any other text, and JSON that is far too deep, as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    pieces: list[str] = []
    depth = 0
    for found in _PART.finditer(text):
        part = found[0]
        closes = part in ("}", "]")
        depth += (part in ("{", "[")) - closes
        if not 0 <= depth <= _DEEPEST:
            return text
        line = f"\n{'  ' * depth}"
        if closes and pieces[-1].isspace() and pieces[-2] in ("{", "["):
            pieces.pop()  # nothing is in it
        elif closes:
            pieces.append(line)
        pieces.append(": " if part == ":" else part)
        if part in ("{", "[", ","):
            pieces.append(line)
    return "".join(pieces)


def _rule(console: Console, applied: AppliedRule) -> dict[str, Any]:
    """The rule that acted, with what its kinds do as it is set now, and what came of it if that is something else."""
    try:
        now = {kind.name: summary(kind) for kind in console.simulator.faults.get(applied.name).do}
        known = True
    except UnknownRuleError:
        now, known = {}, False
    effects = [(now.get(kind, words.title), words.description) for kind, words in _words_of(applied.kinds)]
    return {"name": applied.name, "known": known, "effects": effects, "outcome": applied.french_outcome}


def _words_of(kinds: Sequence[str]) -> Iterator[tuple[str, French]]:
    """Kinds with their words; those of another version of the simulator have none."""
    for kind in kinds:
        yield kind, catalogue()[kind].french if kind in catalogue() else French(kind, "")


def _curl(console: Console, one: Exchange) -> str:
    """The request as a command, as far as the journal holds it."""
    path = one.url.partition("?")[0]
    base = console.world.fhir_url if classify(path).fhir else console.world.public_url
    parts = [f"curl -X {shlex.quote(one.method)} {shlex.quote(one.url if '://' in one.url else base + one.url)}"]
    parts += [
        f"-H {shlex.quote(f'{head.name}: {head.value}')}"
        for head in one.request.headers
        if head.name.lower() not in _OWN_HEADERS
    ]
    if one.request.body and one.request.encoding is None:
        parts.append(f"--data-raw {shlex.quote(one.request.body)}")
    return " \\\n  ".join(parts)


ROUTES = (
    Route("/journal", journal),
    Route("/journal/direct", journal_live),
    Route("/journal/<identifier>", exchange),
)
