"""Sends regulators' accounts to the editors: INT_R02, the conditional update, which creates missing accounts.

Source: the guide on regulator accounts. The platform sends when somebody signs in, and at once after a withdrawal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from mock_editor.base import codes
from mock_editor.base.fhir import Resource
from mock_editor.base.threads import Pool
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform.answers import refusal
from mock_editor.bench.platform.calls import EditorClient
from mock_editor.bench.platform.store import PlatformStore, ProvisioningResult


@dataclass(frozen=True, slots=True)
class Peer:
    """An editor as the platform knows it: a name, and the URL of its FHIR base."""

    slug: str
    name: str
    base: str


def regulator(person: Person, *, active: bool) -> Resource:
    """The regulator as sent (FrPractitionerRegul), with every identifier that the platform has."""
    identifiers = [
        _identifier(*parts)
        for parts in (
            (codes.PRACTITIONER_OID, "IDNPS", person.national_id),
            (codes.SAS_OID, "INTRN", person.technical_id),
        )
        if parts[2]
    ]
    return {
        "resourceType": "Practitioner",
        "meta": {"source": codes.SAS_OID, "profile": [codes.REGULATOR_PROFILE]},
        "identifier": identifiers,
        "active": active,
        "name": [{"family": person.family, "given": [person.given]}],
        "telecom": [{"system": "email", "value": person.email}],
    }


def _identifier(system: str, kind: str, value: str | None) -> Resource:
    return {"type": {"coding": [{"system": codes.FR_V2_0203, "code": kind}]}, "system": system, "value": value}


class Accounts:
    """The accounts of regulators at the editors ``peers``."""

    def __init__(
        self, peers: Sequence[Peer], client: EditorClient, store: PlatformStore, now: Callable[[], datetime]
    ) -> None:
        self._peers = peers
        self._client = client
        self._store = store
        self._now = now

    def tell(self, person: Person, *, active: bool) -> Mapping[str, ProvisioningResult]:
        """Sends the account to all editors at the same time; returns what each answered, by slug."""
        body = regulator(person, active=active)
        [first, *_] = body["identifier"]
        token = quote(f"{first['system']}|{first['value']}", safe=":")
        urls = [f"{peer.base}/Practitioner?identifier={token}" for peer in self._peers]
        # With threads of its own, a sign-in does not wait for other people's searches.
        with Pool(len(urls) or 1, "accounts") as pool:
            outcomes = list(pool.map(lambda url: self._client.call("PUT", url, body), urls))
        results = {}
        for peer, outcome in zip(self._peers, outcomes, strict=True):
            trouble = outcome.trouble or (None if outcome.status in (200, 201) else refusal(outcome))
            results[peer.slug] = ProvisioningResult(
                active, outcome.status, trouble, self._now(), round(outcome.seconds, 3)
            )
        self._store.note(person.key, results)
        return results
