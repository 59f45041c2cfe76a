"""What a path means: its surface, and what is asked for. All code that decides by a path uses this.

It stands in the hot path of a search, several times per request: the paths of searches are few, so they are remembered.
"""

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Surface(StrEnum):
    """A part of the simulator with pages or endpoints of its own; its value is the first part of its paths."""

    EDITOR = ""
    SAS = "_sas"
    IDP = "_idp"
    ADMIN = "_admin"
    CONSOLE = "_console"
    HEALTH = "_health"
    METRICS = "_metrics"
    STATIC = "_static"
    NONE = "/"


# What browsers ask for by themselves is a file like those of pages.
_RESERVED = {surface.value: surface for surface in Surface} | {"": Surface.NONE, "favicon.ico": Surface.STATIC}


class PathMeaning(NamedTuple):
    """A path taken apart. ``editor`` is a slug, of an editor that need not be there; empty on other surfaces.

    ``fhir`` says that it lies below a FHIR base, whoever's. Then ``kind`` is the resource type, or what stands in its
    place (``metadata``); elsewhere it is the first part below the surface's own. ``rest`` is what follows.
    """

    surface: Surface
    editor: str
    fhir: bool
    kind: str
    rest: str

    @property
    def posted_search(self) -> bool:
        """Whether parameters of a search may be in the body (``POST …/_search``)."""
        return self.fhir and self.rest.rstrip("/") == "_search"


@lru_cache(maxsize=256)
def classify(path: str) -> PathMeaning:
    """The meaning of a path without escapes, as it is below the public URL."""
    _, first, second, third, rest, *_ = (*path.split("/", 4), "", "", "", "", "")
    surface = _RESERVED.get(first, Surface.NONE if first.startswith("_") else Surface.EDITOR)
    editor = first if surface is Surface.EDITOR else ""
    if second == "fhir" and first:
        return PathMeaning(surface, editor, True, third, rest)
    return PathMeaning(surface, editor, False, second, f"{third}/{rest}" if rest else third)
