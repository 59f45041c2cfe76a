"""The names of fault kinds and their parameters on screens. Each stands with the kind or the parameter itself.

In English, for programs, a kind and a parameter go by their names; the docstring and the field's description explain
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class French:
    """The title of a kind, or of a family of kinds, and what a client sees of it."""

    title: str
    description: str


@dataclass(frozen=True, slots=True)
class Label:
    """What a parameter is called in French: metadata of its field.

    ``unit`` and ``hint`` may be empty. ``values`` has words for what one chooses from; any other value is a word of a
    standard, and shown as it is. ``proposed`` is what a form shows at first where the parameter has no default;
    ``alternative`` says that the parameter takes the place of another one.
    """

    text: str
    unit: str = ""
    hint: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    proposed: Any = None
    alternative: bool = False

    @property
    def inline(self) -> str:
        """The name within a sentence."""
        return inline(self.text)

    @property
    def of_field(self) -> str:
        """The label of its field in a form."""
        return f"Ou bien : {inline(self.text)}" if self.alternative else self.text


def inline(text: str) -> str:
    """A label within a sentence: with a small letter, unless it is a name."""
    return f"{text[0].lower()}{text[1:]}" if text[1:2].islower() else text


# Many kinds have it.
DONE_FIRST = Label("La demande est faite quand même", hint="seule la réponse manque ou tarde")
