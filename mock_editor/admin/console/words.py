"""What the console says of operations, in French: that one is done, and why one was refused."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from mock_editor.base.errors import EditorError
from mock_editor.base.errors import Issue as _Prose
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Issue, Named
from mock_editor.base.words import french as in_french
from mock_editor.base.words import french_page

# By operation; a function tells it of the result.
DONE: Mapping[str, str | Callable[[Any], str]] = {
    "editAccount": "Le compte est modifié.",
    "createAppointment": "Le rendez-vous est pris.",
    "moveAppointment": "Le rendez-vous est déplacé.",
    "cancelAppointment": "Le rendez-vous est annulé.",
    "assignAppointment": "Le médecin est affecté.",
    "closeAppointment": lambda one: (
        f"C’est noté : rendez-vous {'honoré' if one.status == 'fulfilled' else 'non honoré'}."
    ),
    "setSlot": "Le créneau est modifié.",
    "setDay": "La journée est modifiée.",
    "addAbsence": "L’absence est ajoutée.",
    "endAbsence": "L’absence est levée.",
    "addOpening": "Les créneaux sont ajoutés.",
    "removeOpening": "Les créneaux ajoutés sont retirés.",
    "freezeClock": "L’horloge est figée.",
    "runClock": "L’horloge tourne.",
    "advanceClock": "L’horloge est avancée.",
    "realClock": "L’horloge est à l’heure réelle.",
    "addFault": lambda one: f"La panne « {one.rule.name} » est créée.",
    "setFault": lambda one: f"La panne « {one.rule.name} » est enregistrée.",
    "switchFaultOn": lambda one: f"La panne « {one.rule.name} » est activée.",
    "switchFaultOff": lambda one: f"La panne « {one.rule.name} » est désactivée.",
    "removeFault": "La panne est supprimée.",
    "clearFaults": "Toutes les pannes sont supprimées.",
    "startTimeline": lambda one: f"Le déroulé « {one.timeline.name} » a commencé.",
    "playTimeline": lambda one: f"Le déroulé « {one.timeline.name} » a commencé.",
    "stopTimeline": "Le déroulé est arrêté.",
    "clearJournal": "Le journal est vidé.",
    "replayNotification": "La notification repart vers le SAS.",
    "replayNotifications": lambda found: _replayed(found.count),
    "pauseNotifications": "L’envoi des notifications est suspendu.",
    "resumeNotifications": "L’envoi des notifications reprend.",
    "checkScenario": lambda one: _of_scenario(one.name, "est correct", one.warnings),
    "loadScenario": lambda one: _of_scenario(one.name, "est en jeu", one.warnings),
    "sendScenario": lambda one: _of_scenario(one.name, "est en jeu", one.warnings),
    "reloadScenario": lambda one: _of_scenario(one.name, "est relu", one.warnings),
    "reset": "Le simulateur est remis à zéro.",
    "restoreSnapshot": "L’état enregistré est rétabli.",
}
# So many of a scenario's warnings are shown.
_WARNINGS = 5
# What a list or a form says of a flow; its name alone stands before the comma.
FLOWS = {
    Flow.INT_R01: "INT_R01, créneaux",
    Flow.INT_R02: "INT_R02, comptes",
    Flow.INT_R03: "INT_R03, notifications",
    Flow.INT_R04: "INT_R04, créneaux CPTS",
    Flow.SOS: "SOS Médecins, créneaux",
    Flow.SSO: "connexion unique",
    Flow.WEB: "site web",
    Flow.METADATA: "capacités FHIR",
    Flow.READ: "lecture FHIR",
    Flow.SAS: "plateforme SAS",
    Flow.IDP: "fournisseur d’identité",
    Flow.OTHER: "autre",
}
# Fields of operations, by the last part of their names.
FIELDS = {
    "last": "dernier jour",
    "slot_minutes": "durée d’un créneau",
    "slot_types": "types de créneau",
    "taken": "part occupée",
    "account": "compte",
    "active": "compte actif",
    "at": "date et heure",
    "body": "contenu envoyé",
    "calendar": "agenda",
    "contains": "texte contenu",
    "day": "jour",
    "do": "effets",
    "editor": "logiciel",
    "editors": "logiciels",
    "every": "un échange sur",
    "first": "premiers échanges",
    "email": "e-mail",
    "family": "nom",
    "flow": "flux",
    "flows": "flux",
    "given": "prénom",
    "headers": "en-têtes",
    "hours": "heures",
    "identifier": "identifiant",
    "identifiers": "identifiants",
    "min_ms": "durée minimale",
    "methods": "méthodes",
    "name": "nom",
    "national_id": "identifiant national",
    "number": "numéro",
    "password": "mot de passe",
    "patient": "patient",
    "practitioner": "praticien",
    "priority": "priorité",
    "rate": "vitesse",
    "reason": "motif",
    "seconds": "durée",
    "share": "part des échanges",
    "since": "début",
    "slot": "créneau",
    "start": "début",
    "status": "statut",
    "steps": "étapes",
    "technical_id": "identifiant technique SAS",
    "title": "titre",
    "to": "date et heure",
    "until": "fin",
    "uses": "nombre de fois",
}
# What pydantic says, and what that is in French.
_REASONS = [
    (re.compile(pattern), french)
    for pattern, french in (
        (r"Field required|required.*", "à remplir"),
        (
            r"An absence is of 1 to (\d+) days, not from (\S+) to (\S+)",
            r"une absence est de 1 à \1 jours, et non du \2 au \3",
        ),
        (r"It overlaps with another opening of \S+ on (\S+), .*", r"elle chevauche une autre ouverture, le \1"),
        (r"Input should be a valid integer.*", "un nombre entier est attendu"),
        (r"Input should be a valid number.*", "un nombre est attendu"),
        (r"Input should be a valid boolean.*", "oui ou non est attendu"),
        (r"Input should be a valid date.*", "une date est attendue"),
        (r"Input should be greater than or equal to (.+)", r"au moins \1"),
        (r"Input should be less than or equal to (.+)", r"au plus \1"),
        (r"Input should be greater than (.+)", r"plus de \1"),
        (r"Input should be less than (.+)", r"moins de \1"),
        (r"String should have at least (\d+) characters?", r"au moins \1 caractère(s)"),
        (r"String should have at most (\d+) characters?", r"au plus \1 caractères"),
        (r"List should have at least (\d+) items?.*", r"au moins \1 élément(s)"),
        (r"String should match pattern.*", "la forme n’est pas la bonne"),
        (r"Extra inputs are not permitted", "ce champ n’est pas attendu"),
        (r"Input should be (.+)", r"valeurs possibles : \1"),
        (r"expected a date and time with an offset.*", "une date et une heure sont attendues"),
        (r"expected an instant with an offset, from (\d+) to (\d+)", r"une date est attendue, de \1 à \2"),
        (r"[Nn]o editor .*", "ce logiciel n’existe pas"),
        (r"expected hours such as (\S+), which run past midnight", r"des heures comme \1 sont attendues"),
        (r"(\S+): missing", r"« \1 » manque"),
        (r"(\S+): unknown key; expected: (.+)", r"« \1 » est inconnu ; possibles : \2"),
        (r"the file is empty", "le texte est vide"),
        (r"not YAML: (.+)", r"ce n’est pas du YAML : \1"),
        (r"not UTF-8", "ce n’est pas de l’UTF-8"),
        (r"until is not after since", "la fin n’est pas après le début"),
        (r"unknown parameter.*|has no parameters", "ce réglage n’existe pas"),
        (r"expected a kind of fault .*|no kind of fault .*", "ce genre de panne n’existe pas"),
        (r"(\S+) acts on (.+) only", r"\1 n’agit que sur \2"),
        (r"steps are not in the order of their times", "les étapes ne sont pas dans l’ordre"),
        (r"There is a rule '(.+)' already", r"une panne « \1 » existe déjà"),
        (r"There are (\d+) fault rules already, the most", r"il y a déjà \1 pannes, le maximum"),
        (r"expected a rate from 0 .* to (\d+) seconds a second", r"une vitesse de 0 à \1 est attendue"),
        (r"expected either an amount .* or to", "une durée ou un instant est attendu"),
    )
]


def done(operation: str, result: Any) -> str:
    """What is said when an operation has been done."""
    said = DONE[operation]
    return said if isinstance(said, str) else said(result)


def refused(error: EditorError) -> tuple[str, str]:
    """What is said of a refusal: a title and a text."""
    if error.status == 422:
        return "Saisie refusée", "Rien n’a été changé. Corrigez et recommencez."
    if error.status == 409:
        return "Action impossible", "L’état actuel du simulateur ne le permet pas. Rien n’a été changé."
    return french_page(error)


def reason(issue: Issue | _Prose) -> str:
    """What is wrong, in French where that is known."""
    if isinstance(issue, Issue):
        return in_french(issue)
    # Of the parameters of a fault, its kind is told before.
    said = re.sub(r"^[a-z0-9-]+: ", "", issue.diagnostics) if ".do[" in (issue.expression or "") else issue.diagnostics
    for pattern, french in _REASONS:
        found = pattern.fullmatch(said)
        if found:
            return found.expand(french)
    return issue.diagnostics


def where(issue: Issue | _Prose) -> str:
    """What it is about: « créneau », or the place as it was told; empty when that is nothing in particular."""
    subject = issue.values.get("subject") if isinstance(issue, Issue) else None
    if isinstance(subject, Named):
        return subject.french
    place = issue.place or ""
    last = re.sub(r"\[\d+\]", "", place).rpartition(".")[2]
    return FIELDS.get(last, place)


def _of_scenario(name: str, state: str, warnings: list[str]) -> str:
    more = f" À vérifier : {' ; '.join(warnings[:_WARNINGS])}" if warnings else ""
    return f"Le scénario « {name} » {state}.{more}"


def _replayed(count: int) -> str:
    if not count:
        return "Aucune notification à renvoyer."
    return f"{count} notification{'s repartent' if count > 1 else ' repart'} vers le SAS."
