"""Gives views the parts of the world of their request, one per feature.

Routes are registered once per process, whatever is played. The world that a request is for stands in its environment;
a view asks for what it needs by its class: ``of_world(Searches)``.
"""

from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit
from wsgiref.types import WSGIEnvironment

from flask import request

WORLD = "mock_editor.world"
Part = TypeVar("Part")


class Urls(NamedTuple):
    """Where clients reach the editors: FHIR clients under ``fhir``, all others under ``public``."""

    public: str
    fhir: str

    @property
    def path(self) -> str:
        """The path of the public one, without a slash at its end; a proxy has taken it off."""
        return urlsplit(self.public).path


class Parts(Protocol):
    """A world as features see it."""

    def part(self, kind: type[Part]) -> Part:
        """Its part for a feature. Raises KeyError for a part that no world has."""


def of_world(kind: type[Part]) -> Part:
    """The part of a feature in the world of the current request."""
    return world_of(request.environ).part(kind)


def world_of(environ: WSGIEnvironment) -> Parts:
    """The world that a request is for."""
    world: Parts = environ[WORLD]
    return world
