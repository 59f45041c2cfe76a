"""What every kind of fault has in common. A kind is a model: its fields are its parameters.

To add one: a class in a module of ``kinds/``, its name in the list of ``kinds/__init__.py``. Its docstring says what
the client sees; the catalogue in ``docs/faults.md`` is made from it.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from mock_editor.faults.messages import Proceed, Request, Response


class Kind(BaseModel):
    """A behaviour with its parameters. ``kind``, a literal field of each, is its name in rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Which family it is listed under.
    family: ClassVar[str]
    # The flows that it can act on; all of them when there is none.
    flows: ClassVar[frozenset[str]] = frozenset()
    # Which rule of the guide, or of a standard that it builds on, the answer breaks; empty if none.
    breaks: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """What it is called in rules."""
        return str(type(self).model_fields["kind"].default)

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The answer to an exchange. Raises CloseConnection where there is to be none."""
        raise NotImplementedError
