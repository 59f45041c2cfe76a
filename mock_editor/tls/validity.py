"""Certificates of one's own that end soon: that is told while there is time to renew them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

_SOON = timedelta(days=30)


def ending(files: Iterable[Path], now: datetime) -> list[str]:
    """A line about each file (PEM) with a certificate that ends within 30 days of ``now`` (aware), or has ended.

    What cannot be read is somebody else's to tell.
    """
    ends = {file: end for file in dict.fromkeys(files) if (end := _end(file)) and end - now < _SOON}
    return [f"{file}: the certificate {_when(end, now)}; renew it, or nobody takes it" for file, end in ends.items()]


def _end(file: Path) -> datetime | None:
    """When the first certificate of a file ends."""
    try:
        return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(file.read_bytes()))
    except (OSError, ValueError):
        return None


def _when(end: datetime, now: datetime) -> str:
    day = f"{end:%Y-%m-%d}"
    return f"has ended on {day}" if end <= now else f"ends on {day}, in {(end - now).days} days"
