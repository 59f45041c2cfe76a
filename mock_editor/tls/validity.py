"""The simulator's own certificates that end soon, while there is time to renew them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from mock_editor.base.issues import Code, Issue, issue

_SOON = timedelta(days=30)


def ending(files: Iterable[Path], now: datetime) -> list[Issue]:
    """An issue for each file (PEM) with a certificate that ends within 30 days of ``now`` (aware), or has ended.

    Files that cannot be read are reported elsewhere.
    """
    ends = {file: end for file in dict.fromkeys(files) if (end := _end(file)) and end - now < _SOON}
    return [_ending(file, end, now) for file, end in ends.items()]


def _ending(file: Path, end: datetime, now: datetime) -> Issue:
    if end <= now:
        return issue(Code.CERTIFICATE_ENDED, str(file), day=end.date())
    return issue(Code.CERTIFICATE_ENDS, str(file), day=end.date(), days=(end - now).days)


def _end(file: Path) -> datetime | None:
    """When the first certificate of a file ends."""
    try:
        return min(
            certificate.not_valid_after_utc for certificate in x509.load_pem_x509_certificates(file.read_bytes())
        )
    except (OSError, ValueError):
        return None
