"""Finds the files that come with the product: ``scenarios/`` and ``data/``; and says whose those are that it makes."""

from pathlib import Path

# Of what holds passwords or keys.
OWN_MODE = 0o600

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """The folder ``name``: inside the package when installed from a wheel, else at the top of the checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
