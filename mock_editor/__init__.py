"""A simulator of agenda editors (LGA) for the French Service d'Accès aux Soins (SAS)."""

from importlib.metadata import version

__version__ = version("mock-editor")
