"""What a world gives its bench: the people and registers of the SAS, and the clients of its identity provider."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from mock_editor.accounts.model import AccountFilter
from mock_editor.accounts.payload import email_key
from mock_editor.accounts.repository import AccountRepository
from mock_editor.base.codes import PRACTITIONER_OID, SAS_OID
from mock_editor.base.data import specialties
from mock_editor.bench.idp.clients import Registration
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform import sign_in
from mock_editor.bench.platform.directory import Listed, Site
from mock_editor.calendars.model import Editor
from mock_editor.scenario import LoadedScenario
from mock_editor.settings import Settings

# Practitioners of an editor that the platform's directory lists at most: people made in bulk cost 100 µs each.
_MOST_LISTED = 2000


def known_people(scenario: LoadedScenario, accounts: AccountRepository) -> list[Person]:
    """Who can sign in at the embedded provider: the scenario's regulators, and everybody else who has an account."""
    people = [Person(key, **regulator.model_dump()) for key, regulator in scenario.regulators.items()]
    known = {
        name for person in people for name in (person.national_id, person.technical_id, email_key(person.email)) if name
    }
    for account in accounts.listing(AccountFilter([editor.slug for editor in scenario.editors])).items:
        tokens = {token.system: token.value for token in account.tokens}
        ids = tokens.get(PRACTITIONER_OID), tokens.get(SAS_OID)
        names = {*filter(None, ids), email_key(account.email)}
        if known.isdisjoint(names):
            name = account.content["name"][0]
            people.append(Person(account.id, name["family"], name["given"][0], account.email, *ids))
        known |= names
    return people


def registers(editors: Sequence[Editor]) -> tuple[Iterator[Listed], Iterator[Listed]]:
    """Practitioners and associations with their places, as in national registers, which know no editors."""
    labels = specialties()
    practitioners = (
        Listed(
            practitioner.id,
            practitioner.family,
            practitioner.given or "",
            {
                specialty.code: labels.get(specialty.code, specialty.code)
                for specialty in practitioner.specialties
                if specialty.code
            },
            [
                Site("", place.structure_id, place.line, place.postal_code, place.city, place.phone)
                for place in practitioner.places
            ],
        )
        for editor in editors
        for practitioner in islice(editor.directory, _MOST_LISTED)
    )
    associations = (
        Listed(
            association.id,
            association.name,
            "",
            {},
            [
                Site(place.name, association.id, place.line, place.postal_code, place.city, place.phone)
                for place in association.places
            ],
        )
        for editor in editors
        for association in editor.associations.values()
    )
    return practitioners, associations


def registrations(settings: Settings, public_url: str, editors: Iterable[str]) -> list[Registration]:
    """Where the embedded provider sends people back to: the bench, the editors, and the addresses of the settings."""
    bench = (f"{public_url}{path}" for path in (sign_in.RETURN_PATH, sign_in.LOGOUT_PATH))
    clients = [Registration(sign_in.CLIENT_ID, *bench)]
    for slug in editors:
        site = f"{public_url}/{slug}/sso"
        clients.append(Registration(settings.oidc_client_id or slug, f"{site}/retour", f"{site}/deconnexion"))
    return clients + [Registration(None, uri) for uri in settings.idp_redirect_uris or ()]
