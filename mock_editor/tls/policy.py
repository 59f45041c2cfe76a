"""Which clients are accepted: the names in their certificates, and everything else that has to be right about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mock_editor.base.issues import Code, Issue, issue
from mock_editor.tls.certificates import Certificate
from mock_editor.tls.trust import RevocationLists, TrustStore, wrong_on


@dataclass(frozen=True, slots=True)
class AcceptedNames:
    """The names that are accepted; None accepts any.

    They are compared character by character: a name that only looks or folds alike (a long s) is another one, which
    somebody else may have.
    """

    cns: Sequence[str] | None = None
    ous: Sequence[str] | None = None

    def refusal(self, certificate: Certificate) -> Issue | None:
        """What is wrong with the names of a certificate."""
        if self.cns is not None and certificate.cn not in self.cns:
            return issue(Code.CERTIFICATE_CN, accepted=self.cns)
        if self.ous is not None and not any(ou in self.ous for ou in certificate.ous):
            return issue(Code.CERTIFICATE_OU, accepted=self.ous)
        return None


@dataclass(frozen=True, slots=True)
class ClientPolicy:
    """Which clients are accepted. Some editors (``of_editors``) accept names of their own instead of ``names``.

    Without ``trust_store``, a proxy that passes a certificate on is believed as to its authority.
    """

    names: AcceptedNames
    of_editors: Callable[[], Mapping[str, AcceptedNames]] = dict
    revoked: RevocationLists | None = None
    trust_store: TrustStore | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def refusal(
        self, certificate: Certificate | None, editor: str | None, chain: Sequence[bytes] | None = ()
    ) -> Issue | None:
        """Why a client is refused at an editor, or None if it is accepted.

        ``chain`` came with its certificate. It is None if a handshake has checked it, with the authorities as they were
        at the start, but does not remember it.
        """
        if certificate is None:
            return issue(Code.CERTIFICATE_MISSING)
        names = self.of_editors().get(editor or "", self.names)
        wrong = self._standing(certificate, chain) or names.refusal(certificate)
        return wrong and issue(Code.CERTIFICATE_REFUSED, reason=wrong, certificate=str(certificate))

    def _standing(self, certificate: Certificate, chain: Sequence[bytes] | None) -> Issue | None:
        """What is wrong with a certificate at every editor: its use, dates, authorities, revocation."""
        if not certificate.for_clients:
            return issue(Code.CERTIFICATE_NOT_FOR_CLIENTS)
        if self.trust_store:
            self.trust_store.refresh()
        revoked = self.revoked.current() if self.revoked else frozenset()
        if self.trust_store and (chain is not None or self.trust_store.version):
            return self.trust_store.refusal(certificate, self.now(), chain or (), revoked)
        return wrong_on((certificate,), self.now(), revoked)

    def refusal_everywhere(self, certificate: Certificate | None, chain: Sequence[bytes] | None = ()) -> Issue | None:
        """Why no editor accepts a client, or None if one of them does."""
        first = self.refusal(certificate, None, chain)
        if first and all(self.refusal(certificate, slug, chain) for slug in self.of_editors()):
            return first
        return None
