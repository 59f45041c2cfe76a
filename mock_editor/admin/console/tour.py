"""The guided tour: the whole flow in eight steps, each with a link to where it happens."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response

from mock_editor.admin.console import live
from mock_editor.admin.console.context import Console, Route
from mock_editor.base.flows import SEARCHES, Flow
from mock_editor.notifications.model import NotificationState

# Exchanges that are looked back at: more than anybody causes by hand.
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the tour. ``done`` says whether it has been taken since the beginning; None where nothing tells."""

    title: str
    text: str
    link: str
    url: str
    done: bool | None = None


def tour(console: Console) -> Response:
    return console.show("visite.html", steps=_steps(console), bench=_has_bench(console))


def tour_live(console: Console) -> Response:
    return live.stream(console, lambda: console.drawn("visite_etapes.html", steps=_steps(console)))


def _has_bench(console: Console) -> bool:
    return console.world.settings.shows_bench


def _steps(console: Console) -> Sequence[Step]:
    world = console.world
    bench = f"{world.public_url}/_sas"
    tallies = {one.flow: one for one in console.simulator.journal.entries.tallies(_MOST)}
    searches = [one for flow, one in tallies.items() if flow in SEARCHES]
    told = world.notifications.counts()
    return [
        Step(
            "Découvrir les logiciels joués",
            "Le simulateur joue plusieurs logiciels de gestion d’agenda à la fois. Le tableau de bord montre chacun "
            "d’eux : ce qu’il contient, son adresse FHIR, comment il répond.",
            "Ouvrir le tableau de bord",
            console.base + console.to("home"),
        ),
        Step(
            "Se connecter comme régulatrice",
            "Le banc tient lieu de plateforme SAS. Connectez-vous : la plateforme crée aussitôt votre compte chez "
            "chaque éditeur (INT_R02).",
            "Ouvrir le banc SAS",
            f"{bench}/",
            Flow.INT_R02 in tallies,
        ),
        Step(
            "Voir les comptes créés",
            "Chaque éditeur a maintenant un compte à votre nom, avec un mot de passe qu’il a lui-même choisi.",
            "Ouvrir les régulateurs",
            console.base + console.to("accounts"),
        ),
        Step(
            "Chercher un créneau",
            "La plateforme interroge tous les éditeurs en même temps (INT_R01, INT_R04, SOS Médecins) et affiche les "
            "réponses à mesure qu’elles arrivent : aujourd’hui, demain, après-demain.",
            "Ouvrir la recherche",
            f"{bench}/",
            bool(searches),
        ),
        Step(
            "Rendre un éditeur lent, et chercher encore",
            "Activez la panne « doc-ocean-lent », puis relancez la recherche : la plateforme n’attend pas "
            "plus de sept secondes, et dit pourquoi cet éditeur manque.",
            "Ouvrir les pannes",
            console.base + console.to("faults"),
            any(one.with_faults for one in searches),
        ),
        Step(
            "Réserver chez l’éditeur",
            "Choisissez un créneau : le navigateur passe sur le site de l’éditeur, qui vous reconnaît (SSO, "
            "« origin=sas »). Confirmez le rendez-vous.",
            "Revenir à la recherche",
            f"{bench}/",
            sum(told.values()) > 0,
        ),
        Step(
            "Voir le rendez-vous du côté de l’éditeur",
            "Le créneau est pris dans l’agenda. D’ici, le cabinet peut déplacer le rendez-vous, l’annuler, ou dire si "
            "le patient est venu ; chaque fois, le SAS en est averti (INT_R03).",
            "Ouvrir les rendez-vous",
            console.base + console.to("appointments"),
        ),
        Step(
            "Voir le rendez-vous du côté du SAS",
            "La notification est arrivée : le rendez-vous est visible par la régulation, avec le message INT_L02 que "
            "la plateforme enverrait au LRM.",
            "Ouvrir les rendez-vous reçus",
            f"{bench}/rendez-vous",
            told.get(NotificationState.ACCEPTED, 0) > 0,
        ),
    ]


ROUTES = (
    Route("/visite", tour),
    Route("/visite/direct", tour_live),
)
