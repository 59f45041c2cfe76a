"""The kinds of faults in French: what they are called, what a client sees of them, and what their parameters mean.

The catalogue has all of it in English, for programs; a test compares, so that no kind lacks its words here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mock_editor.faults.catalogue import Described, catalogue
from mock_editor.faults.kind import Kind

FAMILIES = {
    "time": ("Lenteur", "Des réponses qui tardent, n’arrivent jamais, ou arrivent au compte-gouttes."),
    "http": ("Erreurs HTTP", "Un statut d’erreur : toujours, de temps en temps, ou au-delà d’un quota."),
    "connection": ("Connexion", "La connexion s’arrête avant la fin de la réponse, ou apporte autre chose."),
    "conformance": ("Conformité", "Des réponses lisibles, mais qui ne respectent pas le guide."),
    "body": ("Corps de la réponse", "Un contenu qui ne se lit pas : coupé, mal encodé, trop gros, vide."),
    "payload": ("Contenu des notifications", "Des notifications INT_R03 qui ne respectent pas leur profil."),
    "outgoing": ("Envoi des notifications", "Des notifications INT_R03 en retard, en double, en désordre ou perdues."),
}
# What it is called, and what happens.
KINDS: Mapping[str, tuple[str, str]] = {
    # --- time
    "latency": ("Retard constant", "Chaque réponse arrive en retard, toujours d’autant."),
    "latency-uniform": (
        "Retard entre deux bornes",
        "Chaque réponse arrive en retard, d’une durée tirée au sort entre deux bornes.",
    ),
    "latency-normal": (
        "Retard autour d’une moyenne",
        "Le retard est le plus souvent proche de la moyenne : deux fois sur trois à moins d’un écart type.",
    ),
    "latency-lognormal": (
        "Retard réaliste",
        "Le retard est celui d’un vrai serveur : souvent proche de la médiane, parfois bien plus long.",
    ),
    "latency-exponential": (
        "Retard rarement long",
        "Le retard est le plus souvent court, rarement long, sans valeur habituelle.",
    ),
    "latency-percentiles": (
        "Retard selon des mesures",
        "Le retard suit des centiles mesurés ailleurs, par exemple en production.",
    ),
    "hang": (
        "Silence",
        "Aucune réponse tant que le client attend ; s’il attend assez longtemps, il reçoit la bonne.",
    ),
    "slow-body": (
        "Réponse au compte-gouttes",
        "L’en-tête arrive tout de suite, le contenu morceau par morceau : un délai compté par morceau ne protège pas.",
    ),
    # --- http
    "status": ("Statut imposé", "La réponse a le statut choisi, avec un OperationOutcome correct ou un autre contenu."),
    "flapping": ("Panne à éclipses", "Le logiciel va bien un moment, échoue un moment, et ainsi de suite."),
    "quota": ("Quota par minute", "Au-delà de tant de requêtes par minute, le logiciel refuse (429)."),
    # --- connection
    "connection-closed": (
        "Connexion fermée",
        "La connexion se ferme avant toute réponse ; certains clients renvoient alors la requête.",
    ),
    "connection-reset": (
        "Connexion coupée net",
        "La connexion est réinitialisée : tout de suite, dans l’en-tête ou au milieu du contenu.",
    ),
    "truncated-body": (
        "Réponse interrompue",
        "La connexion se ferme au milieu du contenu, alors que sa longueur totale est annoncée.",
    ),
    "garbage": ("Octets sans queue ni tête", "Des octets qui ne sont pas du HTTP, puis la connexion se ferme."),
    "malformed-chunk": (
        "Morceau mal annoncé",
        "Le contenu arrive par morceaux, jusqu’à ce que la taille de l’un ne soit pas un nombre.",
    ),
    # --- conformance: identifiers
    "practitioner-id-without-prefix": (
        "Praticien sans préfixe",
        "Le numéro RPPS ou ADELI des praticiens est nu : il manque le préfixe 8 ou 0.",
    ),
    "structure-id-without-prefix": (
        "Structure sans préfixe",
        "Le numéro FINESS, SIRET, RPPS-rang ou ADELI-rang des structures est nu : il manque le préfixe.",
    ),
    "structure-id-of-another-kind": (
        "Structure d’une autre sorte",
        "L’identifiant des structures est bien formé mais d’une autre sorte : un SIRET pour un FINESS, par exemple.",
    ),
    "phone-not-international": (
        "Téléphone non international",
        "Les téléphones ne sont pas écrits +33 suivi de neuf chiffres ; le SAS masque ceux qu’il ne sait pas lire.",
    ),
    # --- conformance: slots
    "slot-type-missing": ("Type de créneau absent", "Les créneaux ne disent pas pour qui ils sont (PUBLIC, PRO…)."),
    "slot-type-of-another-flow": (
        "Type de créneau d’un autre flux",
        "Les créneaux ont un type qui n’a rien à faire là : CPTS dans INT_R01, PRO chez SOS Médecins.",
    ),
    "specialty-missing": ("Spécialité absente", "Les créneaux n’ont pas de spécialité."),
    "specialty-as-text": ("Spécialité en texte", "La spécialité est écrite en texte, bien qu’un code existe."),
    "consultation-type-missing": (
        "Type de consultation absent",
        "Les créneaux ne disent pas où a lieu la consultation (AMB, HH, VR).",
    ),
    "consultation-type-uncoded": (
        "Type de consultation en texte",
        "Le type de consultation n’a pas de code ; il passe pour un motif.",
    ),
    "consultation-type-unknown": (
        "Type de consultation inconnu",
        "Le type de consultation a un code que le SAS ne connaît pas, et n’affiche pas.",
    ),
    "reasons-missing": ("Motifs absents", "Les créneaux ne disent pas pour quels motifs ils sont."),
    "appointment-type-missing": (
        "Type de rendez-vous absent",
        "Les créneaux ne disent pas s’ils se réservent (ROUTINE) ou non (WALKIN).",
    ),
    "slots-not-free": (
        "Créneaux non libres",
        "Des créneaux qui ne sont pas libres figurent dans la réponse, et le disent.",
    ),
    "comment-missing": ("Lien absent", "Les créneaux n’ont pas de lien vers un agenda."),
    "comment-blank": ("Lien vide", "Le lien vers l’agenda est vide ; le SAS affiche alors l’heure sans lien."),
    "comment-is-slot-url": ("Lien vers le créneau", "Le lien mène au créneau au lieu de l’agenda du praticien."),
    # --- conformance: CPTS
    "cpts-service-type-missing": (
        "CPTS non nommée",
        "Des créneaux sont ouverts aux CPTS sans dire auxquelles : il manque le type de service 604.",
    ),
    "cpts-reference-missing": (
        "CPTS sans référence",
        "Le type de service 604 est là, sans l’extension qui mène à la CPTS.",
    ),
    "cpts-shows-only-one": (
        "Une seule CPTS sur deux",
        "Les créneaux partagés par deux CPTS n’affichent que la première.",
    ),
    "cpts-code-system": (
        "Système du code 604 mal écrit",
        "Le système du code 604 est écrit d’une autre façon, vue elle aussi dans le guide.",
    ),
    "cpts-without-healthcare-service": (
        "CPTS sans HealthcareService",
        "Les créneaux mènent à un HealthcareService qui n’est pas dans la réponse.",
    ),
    "cpts-without-organization": (
        "CPTS sans Organization",
        "Un HealthcareService mène à une Organization qui n’est pas dans la réponse.",
    ),
    # --- conformance: dates
    "dates-without-offset": (
        "Dates sans fuseau",
        "Les dates n’ont pas de décalage horaire ; le navigateur les prend pour son heure locale.",
    ),
    "dates-in-utc": ("Dates en UTC", "Les dates sont en UTC et se terminent par Z."),
    "dates-to-the-second": ("Dates à la seconde", "Les dates n’ont pas de fraction de seconde."),
    "start-missing": ("Début absent", "Les créneaux n’ont pas de début ; le SAS les prend pour maintenant."),
    "end-missing": ("Fin absente", "Les créneaux n’ont pas de fin ; pour le SAS, ils finissent maintenant."),
    "end-before-start": (
        "Fin avant le début",
        "Les créneaux finissent avant de commencer ; le SAS les affiche comme finissant le lendemain.",
    ),
    "slots-in-the-past": ("Créneaux passés", "Les créneaux commencent quelques jours plus tôt : ils sont passés."),
    "slots-outside-window": (
        "Créneaux hors période",
        "Les créneaux commencent quelques jours après la période demandée.",
    ),
    "slots-next-month": (
        "Créneaux du mois suivant",
        "Les créneaux commencent un mois plus tard, le même jour du mois ; le SAS les affiche comme d’aujourd’hui.",
    ),
    # --- conformance: what belongs to what
    "second-place-on-first-schedule": (
        "Second lieu sur le premier",
        "Les créneaux des autres lieux d’un praticien sont dans l’agenda du premier.",
    ),
    "one-schedule-for-two-places": (
        "Un agenda pour deux lieux",
        "Un praticien à plusieurs lieux n’a qu’un agenda, qui porte tous ses créneaux.",
    ),
    "slots-of-another-practitioner": (
        "Créneaux d’un autre praticien",
        "Les créneaux de chaque praticien sont dans l’agenda du suivant.",
    ),
    "slots-of-another-place": (
        "Créneaux d’un autre lieu",
        "Les créneaux de chaque lieu SOS Médecins sont dans l’agenda du suivant.",
    ),
    "unresolvable-reference": (
        "Agenda introuvable",
        "Les créneaux mènent à un Schedule qui n’est pas dans la réponse.",
    ),
    "location-not-contained": (
        "Lieu mal rangé",
        "Les lieux ne sont pas dans leur PractitionerRole : ils sont à part, ou nulle part.",
    ),
    "unasked-practitioner": (
        "Praticien non demandé",
        "Un praticien que personne n’a demandé figure dans la réponse.",
    ),
    # --- conformance: the Bundle
    "not-found-instead-of-empty": (
        "404 au lieu de vide",
        "Une recherche qui ne trouve rien reçoit un 404 au lieu d’une liste vide.",
    ),
    "error-instead-of-empty": (
        "Erreur au lieu de vide",
        "Une recherche qui ne trouve rien reçoit une erreur au lieu d’une liste vide.",
    ),
    "wrong-total": ("Total faux", "Le total annoncé n’est pas le nombre de créneaux."),
    "self-link-differs": (
        "Lien « self » faux",
        "Le lien « self » n’est pas la requête : sans ses paramètres, ou à une adresse interne.",
    ),
    "wrong-profile": (
        "Profil faux",
        "Les ressources annoncent un profil qui n’existe pas : le bon nom, sous l’autre adresse du guide.",
    ),
    "empty-elements": (
        "Éléments vides",
        "Les ressources portent un élément facultatif sans valeur : texte, liste ou objet vide, ou null.",
    ),
    "same-slot-twice": (
        "Créneau en double",
        "Les créneaux figurent deux fois, la seconde sous un autre identifiant technique.",
    ),
    "same-entry-twice": (
        "Ressource en double",
        "Les ressources figurent deux fois avec le même identifiant, sous deux adresses.",
    ),
    # --- body
    "malformed-json": ("JSON mal formé", "Le contenu est presque du JSON : une virgule de trop, par exemple."),
    "cut-body": ("Réponse tronquée", "Le contenu s’arrête au milieu ; la longueur annoncée est celle du morceau."),
    "wrong-encoding": (
        "Encodage faux",
        "Le contenu n’est pas en UTF-8 comme annoncé ; en ISO-8859-1, seuls les accents le montrent.",
    ),
    "byte-order-mark": ("Marque d’ordre des octets", "Le contenu commence par une marque d’ordre des octets (BOM)."),
    "xml-body": ("Réponse en XML", "La ressource arrive en XML alors que du JSON est demandé."),
    "duplicated-entry": (
        "Entrée répétée",
        "Des entrées de la liste y figurent deux fois, identiques à l’octet près.",
    ),
    "duplicated-member": (
        "Membre JSON répété",
        "Un membre du JSON figure deux fois, la seconde à null ; la plupart des lecteurs prennent la dernière.",
    ),
    "huge-body": ("Réponse énorme", "Le contenu est juste, mais aussi gros que voulu."),
    "empty-body": ("Réponse vide", "La réponse n’a pas de contenu, sous le même statut."),
    "html-page": ("Page HTML", "La page d’un proxy ou d’une maintenance, en HTML, au lieu d’une ressource."),
    "plain-text": ("Texte brut", "Une phrase au lieu de JSON, bien que du JSON soit annoncé."),
    # --- payload
    "appointment-profile-missing": ("Sans profil", "Le rendez-vous n’annonce aucun profil."),
    "appointment-identifier-missing": ("Sans identifiant", "Le rendez-vous n’a pas d’identifiant."),
    "appointment-operator-missing": ("Sans régulateur", "Le rendez-vous ne dit pas quel régulateur l’a pris."),
    "appointment-status-missing": ("Sans statut", "Le rendez-vous n’a pas de statut."),
    "appointment-start-missing": ("Sans début", "Le rendez-vous n’a pas de début."),
    "appointment-end-missing": ("Sans fin", "Le rendez-vous n’a pas de fin."),
    "appointment-created-missing": ("Sans date de prise", "Le rendez-vous ne dit pas quand il a été pris."),
    "appointment-participant-missing": ("Sans participant", "Le rendez-vous n’est avec personne."),
    "appointment-profile-wrong": (
        "Autre profil",
        "Le rendez-vous annonce un autre profil : le bon nom, sous l’autre adresse du guide.",
    ),
    "appointment-identifier-without-system": (
        "Identifiant sans système",
        "L’identifiant du rendez-vous ne dit pas à qui il est.",
    ),
    "appointment-identifier-twice": ("Deux identifiants", "Le rendez-vous a un second identifiant."),
    "appointment-identifier-changes": (
        "Identifiant qui change",
        "Chaque notification du rendez-vous a un autre identifiant, qui n’est pas celui de l’URL.",
    ),
    "appointment-status-unknown": ("Statut inconnu", "Le rendez-vous a un statut qui n’existe pas."),
    "appointment-dates-without-offset": (
        "Dates sans fuseau",
        "Les dates du rendez-vous n’ont pas de décalage horaire.",
    ),
    "appointment-end-before-start": ("Fin avant le début", "Le début et la fin du rendez-vous sont inversés."),
    "appointment-created-changes": (
        "Date de prise qui change",
        "La date à laquelle le rendez-vous a été pris change à chaque notification.",
    ),
    "appointment-operator-url": (
        "Extension du régulateur mal nommée",
        "L’extension qui désigne le régulateur a une autre URL que la sienne.",
    ),
    "appointment-operator-twice": (
        "Extension de trop",
        "Une autre extension accompagne celle du régulateur, qui figure elle-même deux fois.",
    ),
    "appointment-operator-type": (
        "Type d’identifiant du régulateur",
        "Le type de l’identifiant du régulateur a un système ou un code que le profil n’admet pas.",
    ),
    "appointment-operator-by-reference": (
        "Régulateur par référence",
        "Le régulateur est désigné par une référence à un compte au lieu de son identifiant.",
    ),
    "appointment-practitioner-without-prefix": (
        "Praticien sans préfixe",
        "Le numéro RPPS ou ADELI du praticien est nu : il manque le préfixe 8 ou 0.",
    ),
    "appointment-practitioner-system": (
        "Système du praticien",
        "L’identifiant du praticien se dit d’un autre système, celui des structures si rien n’est précisé.",
    ),
    "appointment-practitioner-type": (
        "Type d’identifiant du praticien",
        "Le type de l’identifiant du praticien a un autre code que IDNPS.",
    ),
    "appointment-participant-status": (
        "Statut du participant",
        "Le participant a un statut qui n’existe pas.",
    ),
    "appointment-patient-data": (
        "Données du patient",
        "Le rendez-vous nomme le patient (fictif), ce qui ne doit jamais sortir du logiciel.",
    ),
    "appointment-empty-element": (
        "Élément vide",
        "Le rendez-vous porte un élément facultatif sans valeur : texte, liste ou objet vide.",
    ),
    # --- outgoing
    "notification-delay": (
        "Notification tardive",
        "La notification part plus tard qu’elle ne pourrait ; la suivante du même rendez-vous l’attend.",
    ),
    "notification-drop": ("Notification perdue", "La notification n’est jamais envoyée."),
    "notification-duplicate": (
        "Notification répétée",
        "La notification repart telle quelle, bien qu’elle ait été acceptée.",
    ),
    "notification-reorder": (
        "Notifications en désordre",
        "La notification part après la suivante du même rendez-vous.",
    ),
    "notification-stale": (
        "Notification périmée",
        "Une fois le dernier état accepté, un ancien état est envoyé de nouveau, comme une mise à jour.",
    ),
}
# By name of a parameter, or by kind and name where one says more: what it is, its unit, what else there is to know.
_PARAMETERS: Mapping[str, tuple[str, str, str]] = {
    "body": ("Contenu", "", "sur les pages web, du HTML si rien n’est choisi"),
    "by": ("Écart du total", "", "ajouté au total, qui ne descend pas sous zéro"),
    "bytes_per_second": ("Débit", "octets/s", ""),
    "code": ("Code", "", ""),
    "content_type": ("Type de contenu annoncé", "", "même faux ; sinon celui du contenu"),
    "deviation_seconds": ("Écart type", "s", ""),
    "done_first": ("La demande est faite quand même", "", "seule la réponse manque ou tarde"),
    "down_seconds": ("Durée des pannes", "s", ""),
    "encoding": ("Encodage", "", ""),
    "family_name": ("Nom", "", ""),
    "first": ("Ou bien : combien", "", "les premiers de la réponse, au lieu d’une part"),
    "form": ("Forme", "", ""),
    "given_name": ("Prénom", "", ""),
    "how": ("Défaut", "", ""),
    "identifier": ("Identifiant, avec préfixe", "", ""),
    "least_seconds": ("Au moins", "s", ""),
    "mean_seconds": ("Moyenne", "s", ""),
    "median_seconds": ("Médiane", "s", "la moitié des réponses arrive avant"),
    "member": ("Membre", "", ""),
    "more": ("Décalage supplémentaire", "jours", ""),
    "most": ("Ou bien : jusqu’à", "s", "durée tirée au sort entre les deux"),
    "most_seconds": ("Au plus", "s", ""),
    "p95_seconds": ("95 % avant", "s", "95 réponses sur 100 arrivent avant"),
    "padding": ("Remplissage", "", ""),
    "per_minute": ("Requêtes par minute", "", "de l’horloge du simulateur, par logiciel"),
    "pieces": ("En morceaux", "", "nombre de morceaux du contenu"),
    "pretend": ("Le logiciel croit qu’elle est", "", ""),
    "profile": ("Profil annoncé", "", "l’URL ; sinon l’autre adresse du guide"),
    "resource": ("Ressources", "", ""),
    "retry_after": ("Annoncer quand revenir (Retry-After)", "", ""),
    "retry_after_seconds": ("Retry-After", "s", "pour un 429 ou un 503"),
    "seconds": ("Durée", "s", ""),
    "seconds_at": ("Secondes par centile", "", 'en JSON : {"50": 1, "95": 5}'),
    "share": ("Part touchée", "0 à 1", "1 : tous ; 0,1 : un sur dix environ, un au moins"),
    "size": ("Taille", "octets", ""),
    "slots": ("Créneaux", "", "au plus"),
    "spelling": ("Écriture", "", ""),
    "state": ("Ancien état", "", ""),
    "status": ("Statut", "", ""),
    "system": ("Système", "", ""),
    "text": ("Texte", "", ""),
    "times": ("Répétitions", "fois", "en plus de l’envoi normal"),
    "title": ("Titre de la page", "", ""),
    "up_seconds": ("Durée de bon fonctionnement", "s", "les périodes se comptent depuis minuit UTC"),
    "url": ("URL", "", ""),
    "value": ("Valeur vide", "", ""),
    "where": ("Où", "", ""),
    "latency.seconds": ("Retard", "s", ""),
    "latency-uniform.most_seconds": ("Au plus", "s", ""),
    "hang.most_seconds": ("Silence pendant", "s", "au plus"),
    "slow-body.seconds": ("Ou bien : durée totale", "s", "au lieu d’un débit"),
    "notification-delay.seconds": ("Retard", "s", "à l’horloge du simulateur"),
    "notification-duplicate.seconds": ("Entre deux envois", "s", "à l’horloge du simulateur"),
    "notification-reorder.seconds": ("Attendre la suivante", "s", "à l’horloge du simulateur"),
    "notification-stale.seconds": ("Retard", "s", "à l’horloge du simulateur"),
    "status.code": ("Statut HTTP", "", ""),
    "flapping.code": ("Statut HTTP", "", ""),
    "quota.code": ("Statut HTTP", "", ""),
    "status.text": ("Texte", "", "sinon le nom du statut"),
    "appointment-operator-type.code": ("Code", "", "sinon le bon"),
    "error-instead-of-empty.status": ("Statut HTTP", "", ""),
    "html-page.status": ("Statut HTTP", "", "sinon celui de la bonne réponse"),
    "plain-text.status": ("Statut HTTP", "", "sinon celui de la bonne réponse"),
    "cut-body.share": ("Part envoyée", "0 à 1", ""),
    "cut-body.size": ("Ou bien : envoyer", "octets", ""),
    "truncated-body.share": ("Part envoyée", "0 à 1", ""),
    "malformed-chunk.share": ("Part envoyée avant", "0 à 1", ""),
    "connection-reset.share": ("Part envoyée", "0 à 1", "de l’en-tête ou du contenu"),
}
# What one chooses from; what is not here is a word of the standard, and stays.
_VALUES: Mapping[str, str] = {
    "operation-outcome": "OperationOutcome",
    "html": "page HTML",
    "text": "texte",
    "empty": "vide",
    "national": "0561855977",
    "spaced": "05 61 85 59 77",
    "dotted": "05.61.85.59.77",
    "double-zero": "0033561855977",
    "trunk-zero": "+330561855977",
    "trailing-comma": "une virgule de trop",
    "single-quotes": "des apostrophes",
    "no-closing-brace": "sans accolade finale",
    "without-query": "sans les paramètres",
    "internal-address": "adresse interne",
    "blanks": "des espaces",
    "tag": "une étiquette très longue",
    "accepted": "acceptée",
    "given-up": "abandonnée",
    "short": "abrégée",
    "doubled": "doublée",
    "previous": "le précédent",
    "first": "le premier",
    "string": "texte vide",
    "list": "liste vide",
    "object": "objet vide",
    "entry": "à part",
    "nowhere": "nulle part",
    "start": "tout de suite",
    "headers": "dans l’en-tête",
    "body": "au milieu du contenu",
}
# What a form proposes where a kind has nothing usual.
_PROPOSED: Mapping[str, Any] = {
    "latency.seconds": 3,
    "latency-uniform.most_seconds": 5,
    "latency-normal.mean_seconds": 3,
    "latency-normal.deviation_seconds": 1,
    "latency-lognormal.median_seconds": 2,
    "latency-lognormal.p95_seconds": 6,
    "latency-exponential.mean_seconds": 2,
    "latency-percentiles.seconds_at": {"50": 1, "95": 5, "99": 12},
    "slow-body.seconds": 10,
    "quota.per_minute": 10,
}
DESCRIBED: Mapping[str, Described] = {one.kind: one for one in catalogue()}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kind, for a form. ``shape``: "number", "text", "check", "choice" or "json".

    ``value`` is what its field shows at first; ``limits`` are attributes of the field; ``options`` what a choice has.
    """

    name: str
    label: str
    hint: str
    shape: str
    value: Any
    limits: Mapping[str, Any]
    options: Sequence[tuple[str, str]] = ()


def parameters(kind: str, values: Mapping[str, Any] | None = None) -> list[Parameter]:
    """Those of a kind, the required ones first, with the values of a rule that there is, or those that are usual."""
    schema = DESCRIBED[kind].parameters
    required = schema.get("required", ())
    own = sorted(schema["properties"].items(), key=lambda one: one[0] not in required)
    return [_parameter(kind, name, one, name in required, values) for name, one in own]


def said(kind: Kind) -> str:
    """What a kind does, in a line: « Retard constant (retard : 3 s) »."""
    title, _ = KINDS[kind.name]
    values = kind.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    told = [_told(kind.name, name, value) for name, value in values.items()]
    return f"{title} ({', '.join(told)})" if told else title


def _told(kind: str, name: str, value: Any) -> str:
    label, unit, _ = _words(kind, name)
    label = f"{label[0].lower()}{label[1:]}" if label[1:2].islower() else label
    if value is True:
        return label
    shown = _VALUES.get(value, value) if isinstance(value, str) else _plain(value)
    return f"{label} : {shown}{f' {unit}' if unit and ' ' not in unit else ''}"


def _words(kind: str, name: str) -> tuple[str, str, str]:
    return _PARAMETERS.get(f"{kind}.{name}") or _PARAMETERS[name]


def _plain(value: Any) -> str:
    """As French people write it: 0,5."""
    if isinstance(value, dict):
        return ", ".join(f"{key} % : {_plain(one)} s" for key, one in value.items())
    if isinstance(value, bool):
        return "oui" if value else "non"
    return f"{value:.12g}".replace(".", ",")


def _parameter(
    kind: str, name: str, schema: Mapping[str, Any], required: bool, values: Mapping[str, Any] | None
) -> Parameter:
    label, unit, hint = _words(kind, name)
    some = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    own = some[0] if some else schema
    usual = schema.get("default")
    value = values.get(name) if values is not None else _PROPOSED.get(f"{kind}.{name}", usual)
    limits: dict[str, Any] = {"required": True} if required else {}
    options: list[tuple[str, str]] = []
    match own:
        case {"enum": found}:
            shape = "choice"
            options = [("", "–")] if some else []
            options += [(one, _VALUES.get(one, one)) for one in found]
        case {"type": "boolean"}:
            shape = "check"
        case {"type": "object"}:
            shape, value = "json", json.dumps(value)
        case {"type": "integer" | "number" as number}:
            shape = "number"
            limits |= {"step": "1" if number == "integer" else "any"}
            limits |= {"min": own.get("minimum", own.get("exclusiveMinimum"))}
            limits |= {"max": own.get("maximum", own.get("exclusiveMaximum"))}
        case _:
            shape = "text"
            limits |= {"maxlength": own.get("maxLength")}
    limits = {key: _field(one) for key, one in limits.items() if one is not None}
    shown = f"{label} ({unit})" if unit else label
    return Parameter(name, shown, hint, shape, _field(value), limits, options)


def _field(value: Any) -> Any:
    """A number as a field writes it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
