"""What the bench of a world is given: the people and registers that the SAS has, and whom its provider knows."""

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

# Of an editor's practitioners, so many are in the platform's directory: people made in bulk cost 100 µs each.
_MOST_LISTED = 2000


def people(scenario: LoadedScenario, accounts: AccountRepository) -> list[Person]:
    """Who signs in at the embedded provider: the scenario's regulators, and whoever has got an account besides."""
    found = [Person(key, **one.model_dump()) for key, one in scenario.regulators.items()]
    known = {name for one in found for name in (one.national_id, one.technical_id, email_key(one.email)) if name}
    for account in accounts.listing(AccountFilter([editor.slug for editor in scenario.editors])).items:
        tokens = {token.system: token.value for token in account.tokens}
        ids = tokens.get(PRACTITIONER_OID), tokens.get(SAS_OID)
        names = {*filter(None, ids), email_key(account.email)}
        if known.isdisjoint(names):
            name = account.content["name"][0]
            found.append(Person(account.id, name["family"], name["given"][0], account.email, *ids))
        known |= names
    return found


def registers(editors: Sequence[Editor]) -> tuple[Iterator[Listed], Iterator[Listed]]:
    """Practitioners and associations as national registers have them: with their places, without their editors."""
    labels = specialties()
    practitioners = (
        Listed(
            one.id,
            one.family,
            one.given or "",
            {each.code: labels.get(each.code, each.code) for each in one.specialties if each.code},
            [
                Site("", place.structure_id, place.line, place.postal_code, place.city, place.phone)
                for place in one.places
            ],
        )
        for editor in editors
        for one in islice(editor.directory, _MOST_LISTED)
    )
    associations = (
        Listed(
            one.id,
            one.name,
            "",
            {},
            [Site(place.name, one.id, place.line, place.postal_code, place.city, place.phone) for place in one.places],
        )
        for editor in editors
        for one in editor.associations.values()
    )
    return practitioners, associations


def registrations(settings: Settings, public_url: str, editors: Iterable[str]) -> list[Registration]:
    """Whom the embedded provider sends people back to: the bench, the editors, and whoever the settings name."""
    bench = (f"{public_url}{path}" for path in (sign_in.RETURN_PATH, sign_in.LOGOUT_PATH))
    clients = [Registration(sign_in.CLIENT_ID, *bench)]
    for slug in editors:
        site = f"{public_url}/{slug}/sso"
        clients.append(Registration(settings.oidc_client_id or slug, f"{site}/retour", f"{site}/deconnexion"))
    return clients + [Registration(None, uri) for uri in settings.idp_redirect_uris or ()]
