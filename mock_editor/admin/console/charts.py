"""Charts: columns of stacked bars, as SVG that a template draws (``console/charts.html``), and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

# Units of the drawing, which is stretched to the room that there is: no text is in it.
HEIGHT, WIDTH, _GAP = 100.0, 10.0, 1.5


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a drawing; ``kind`` is a class of the style sheet."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    told: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns, each with a number for every kind. ``kinds`` are classes of the style sheet with their words.

    ``marks`` are the labels below the columns, blank for those that have none; ``names`` say it in the table.
    """

    title: str
    description: str
    kinds: Sequence[tuple[str, str]]
    names: Sequence[str]
    marks: Sequence[str]
    columns: Sequence[Sequence[int]]

    @property
    def most(self) -> int:
        """The highest column."""
        return max(map(sum, self.columns), default=0)

    @property
    def width(self) -> float:
        """Of the drawing."""
        return WIDTH * len(self.columns)

    @property
    def bars(self) -> list[Bar]:
        """All bars that are not empty."""
        found = []
        for at, (name, column) in enumerate(zip(self.names, self.columns, strict=True)):
            y = HEIGHT
            for (kind, words), count in zip(self.kinds, column, strict=True):
                height = HEIGHT * count / max(self.most, 1)
                y -= height
                if count:
                    x = at * WIDTH + _GAP / 2
                    told = f"{name} : {count} {words}"
                    found.append(Bar(kind, round(x, 2), round(y, 2), WIDTH - _GAP, round(height, 2), told))
        return found
