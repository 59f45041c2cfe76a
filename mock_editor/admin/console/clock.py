"""The simulator's clock: where it is, live, and all that sets it."""

from functools import partial

from flask import Response

from mock_editor.admin.console import live
from mock_editor.admin.console.context import Console, Route
from mock_editor.admin.operations.clock import Time, show_clock
from mock_editor.base.clock import FASTEST, Mode

MODES = {
    Mode.REAL: ("réelle", "Elle donne l’heure réelle."),
    Mode.SHIFTED: ("décalée", "Elle avance à la vitesse réelle, depuis une autre date."),
    Mode.FROZEN: ("figée", "Elle est arrêtée : rien n’échoit tant qu’elle n’avance pas."),
    Mode.SCALED: ("accélérée", "Elle avance plus vite ou plus lentement que l’heure réelle."),
}
# What the clock is moved by at one touch: the field of the operation, its value, its words.
STEPS = (
    ("minutes", 15, "15 min"),
    ("hours", 1, "1 h"),
    ("days", 1, "1 jour"),
    ("days", 7, "1 semaine"),
    ("hours", -1, "− 1 h"),
)
RATES = ((10, "10 ×"), (60, "60 × : une heure par minute"), (3600, "3 600 × : un jour en 24 secondes"))


def clock(console: Console) -> Response:
    now = show_clock.run(console.control).now.astimezone(console.zone)
    return console.show(
        "horloge.html", face=_drawn(console), at=f"{now:%Y-%m-%dT%H:%M}", steps=STEPS, rates=RATES, fastest=FASTEST
    )


def clock_live(console: Console) -> Response:
    return live.stream(console, partial(_drawn, console))


def _drawn(console: Console) -> str:
    time: Time = show_clock.run(console.control)
    name, text = MODES[time.mode]
    if time.mode is Mode.SCALED:
        name = f"{'accélérée' if time.rate > 1 else 'ralentie'}, {_rate(time.rate)} ×"
    return console.drawn("horloge_part.html", now=time.now.astimezone(console.zone), time=time, mode=name, text=text)


def _rate(rate: float) -> str:
    """« 3 600 », « 0,5 »."""
    return f"{rate:,.10g}".replace(",", "\u202f").replace(".", ",")


ROUTES = (
    Route("/horloge", clock),
    Route("/horloge/direct", clock_live),
)
