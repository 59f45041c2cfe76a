"""Where the shipped files are (``scenarios/``, ``data/``), and the mode of secret files."""

from pathlib import Path

# Files that hold passwords or keys.
OWN_MODE = 0o600

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """The folder ``name``: inside the package when installed from a wheel, otherwise at the top of the checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
