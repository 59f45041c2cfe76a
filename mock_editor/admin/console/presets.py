"""Faults that are ready: one button of the console sets each as one rule, for an editor or for all."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mock_editor.base.flows import SEARCHES, Flow

_SEARCHES = sorted(SEARCHES)
_FHIR = [*_SEARCHES, Flow.INT_R02, Flow.METADATA, Flow.READ]
_NOTIFICATIONS = [Flow.INT_R03]


@dataclass(frozen=True, slots=True)
class Preset:
    """A rule without its editors. ``name`` is that of its rule, with the slug of an editor that it is for behind it."""

    name: str
    title: str
    text: str
    flows: Sequence[Flow]
    do: Sequence[Mapping[str, Any]]
    share: float = 1.0

    def name_for(self, slug: str | None) -> str:
        """The name of its rule for an editor, or for all of them."""
        # Names end after 60 characters.
        return f"{self.name}-{slug}"[:60].rstrip("-") if slug else self.name

    def fields_for(self, slug: str | None) -> dict[str, str]:
        """Its rule as the fields of a form."""
        fields = {"body.do": json.dumps(self.do), "body.flows": "\n".join(self.flows), "body.share": f"{self.share:g}"}
        return {**fields, "body.editors": slug} if slug else fields


PRESETS: Sequence[Preset] = (
    Preset(
        "lent", "Lent", "Toutes les réponses arrivent avec 3 s de retard.", _FHIR, [{"kind": "latency", "seconds": 3}]
    ),
    Preset(
        "hors-delai",
        "Hors délai (7 s)",
        "Les recherches reçoivent leur réponse après 8 s : la plateforme a déjà renoncé.",
        _SEARCHES,
        [{"kind": "latency", "seconds": 8}],
    ),
    Preset(
        "au-bord-du-delai",
        "À la limite des 7 s",
        "Une recherche sur cinq environ arrive après le délai de la plateforme.",
        _SEARCHES,
        [{"kind": "latency-lognormal", "median_seconds": 6, "p95_seconds": 8, "most_seconds": 15}],
    ),
    Preset(
        "en-panne",
        "En panne",
        "Tout est refusé (503), le site web aussi.",
        [*_FHIR, Flow.WEB, Flow.SSO],
        [{"kind": "status", "code": 503}],
    ),
    Preset(
        "injoignable",
        "Injoignable",
        "La connexion se ferme sans réponse, pour tout.",
        [*_FHIR, Flow.WEB, Flow.SSO],
        [{"kind": "connection-closed"}],
    ),
    Preset(
        "muet", "Muet", "Aucune réponse aux recherches, aussi longtemps qu’on attende.", _SEARCHES, [{"kind": "hang"}]
    ),
    Preset(
        "intermittent",
        "Une erreur sur dix",
        "Une requête sur dix, au hasard, reçoit une erreur 500.",
        _FHIR,
        [{"kind": "status", "code": 500}],
        share=0.1,
    ),
    Preset(
        "sature",
        "Saturé",
        "Au-delà de 10 requêtes par minute, refus (429) jusqu’à la minute suivante.",
        _FHIR,
        [{"kind": "quota", "per_minute": 10}],
    ),
    Preset(
        "tronque",
        "Réponses tronquées",
        "Les réponses aux recherches s’arrêtent au milieu.",
        _SEARCHES,
        [{"kind": "cut-body", "share": 0.5}],
    ),
    Preset(
        "maintenance",
        "Page de maintenance",
        "Une page HTML (503) au lieu de FHIR, comme derrière un proxy.",
        _FHIR,
        [{"kind": "html-page", "status": 503}],
    ),
    Preset(
        "erreurs-faq",
        "Erreurs FAQ",
        "Les erreurs de conformité que relève la FAQ du guide, mêlées dans chaque recherche.",
        _SEARCHES,
        [
            {"kind": "practitioner-id-without-prefix", "share": 0.2},
            {"kind": "structure-id-without-prefix", "share": 0.2},
            {"kind": "phone-not-international", "share": 0.2, "form": "spaced"},
            {"kind": "second-place-on-first-schedule"},
            {"kind": "cpts-shows-only-one"},
            {"kind": "slot-type-missing", "share": 0.1},
            {"kind": "dates-without-offset", "share": 0.1},
            {"kind": "comment-blank", "share": 0.1},
            {"kind": "empty-elements", "share": 0.1, "value": "string"},
            {"kind": "not-found-instead-of-empty"},
        ],
    ),
    Preset(
        "comptes-en-echec",
        "Comptes en échec",
        "Les créations et mises à jour de comptes (INT_R02) reçoivent une erreur 500.",
        [Flow.INT_R02],
        [{"kind": "status", "code": 500}],
    ),
    Preset(
        "notifications-refusees",
        "Notifications refusées",
        "Le logiciel reçoit un refus (422) à la place de la réponse du SAS, qui n’apprend rien.",
        _NOTIFICATIONS,
        [{"kind": "status", "code": 422}],
    ),
    Preset(
        "notifications-tardives",
        "Notifications tardives",
        "Elles partent 2 à 15 minutes trop tard, à l’horloge du simulateur.",
        _NOTIFICATIONS,
        [{"kind": "notification-delay", "seconds": 120, "most": 900}],
    ),
    Preset(
        "notifications-en-double",
        "Notifications en double",
        "Chacune part deux fois, telle quelle.",
        _NOTIFICATIONS,
        [{"kind": "notification-duplicate"}],
    ),
    Preset(
        "notifications-perdues",
        "Notifications perdues",
        "Aucune ne part, et le logiciel les croit acceptées.",
        _NOTIFICATIONS,
        [{"kind": "notification-drop"}],
    ),
)
