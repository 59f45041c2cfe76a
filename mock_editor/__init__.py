"""A simulator of agenda editors (LGA) for the French Service d'Accès aux Soins (SAS)."""

# The only place: pyproject.toml reads it here, so a checkout that is not installed knows it too.
__version__ = "0.1.0"
