"""What the console says of operations, in French: that one is done, and why one was refused."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mock_editor.admin.operations.scenarios import Scenario
from mock_editor.base.errors import EditorError
from mock_editor.base.flows import Flow
from mock_editor.base.issues import Issue, Named, Term
from mock_editor.base.words import Language, french, french_page, word

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
    "checkScenario": lambda one: _of_scenario(one, "est correct"),
    "loadScenario": lambda one: _of_scenario(one, "est en jeu"),
    "sendScenario": lambda one: _of_scenario(one, "est en jeu"),
    "reloadScenario": lambda one: _of_scenario(one, "est relu"),
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


def done(operation: str, result: Any) -> str:
    """What is said when an operation has been done."""
    said = DONE[operation]
    return said if isinstance(said, str) else said(result)


def refused(error: EditorError) -> tuple[str, str]:
    """The heading and the text of a notice that an action was refused; its details name each issue."""
    title, text = (word(Language.FRENCH, Term(f"action {what}", str(error.status))) for what in ("title", "text"))
    return (title, text) if title and text else french_page(error)


def where(issue: Issue) -> str:
    """What an issue is about: « créneau », or its place in the request; empty for nothing in particular."""
    subject = issue.values.get("subject") if isinstance(issue, Issue) else None
    if isinstance(subject, Named):
        return subject.french
    place = issue.place or ""
    last = re.sub(r"\[\d+\]", "", place).rpartition(".")[2]
    return word(Language.FRENCH, Term("field", last)) or place


def details(issues: Iterable[Issue]) -> list[tuple[str, str]]:
    """Issues as a page lists them: where each is, and what is wrong."""
    return [(where(one), french(one)) for one in issues]


def _of_scenario(scenario: Scenario, state: str) -> str:
    doubts = [f"{where} : {french(what)}" for where, what in scenario.doubts[:_WARNINGS]]
    more = f" À vérifier : {' ; '.join(doubts)}" if doubts else ""
    return f"Le scénario « {scenario.name} » {state}.{more}"


def _replayed(count: int) -> str:
    if not count:
        return "Aucune notification à renvoyer."
    return f"{count} notification{'s repartent' if count > 1 else ' repart'} vers le SAS."
