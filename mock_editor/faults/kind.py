"""What every kind of fault has in common. A kind is a model: its fields are its parameters.

To add one: a class in a module of ``kinds/`` with its words, and its name in the list of ``kinds/__init__.py``. Its
docstring says what the client sees; the catalogue in ``docs/faults.md`` is made from it.
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from mock_editor.base.issues import Named
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.words import French, Label


class Kind(BaseModel):
    """A behaviour with its parameters. ``kind``, a literal field of each, is its name in rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Its name on screens. In English, its docstring says what a client sees.
    french: ClassVar[French]
    # The family under which it is listed.
    family: ClassVar[str]
    # The flows that it can act on; empty means all of them.
    flows: ClassVar[frozenset[str]] = frozenset()
    # The rule of the guide, or of an underlying standard, that the answer breaks; empty if none.
    breaks: ClassVar[str] = ""

    @classmethod
    def labels(cls) -> dict[str, Label]:
        """The names of its parameters on screens, by their names in rules."""
        return {
            name: label for name, own in cls.model_fields.items() for label in own.metadata if isinstance(label, Label)
        }

    @classmethod
    def parameter(cls, name: str) -> Named:
        """The name of a parameter, as a value for the words of a refusal."""
        return Named(name, cls.labels()[name].text)

    @property
    def name(self) -> str:
        """The name of the kind in rules."""
        return str(type(self).model_fields["kind"].default)

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The response to a request. Raises CloseConnection when there should be none."""
        raise NotImplementedError
