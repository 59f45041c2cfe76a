"""The state as a whole."""

import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field
from werkzeug.wsgi import FileWrapper

from mock_editor.admin.operation import Control, Download, Example, Model, operation
from mock_editor.base.errors import EditorError
from mock_editor.base.issues import Code, issue
from mock_editor.base.store import StoreError
from mock_editor.scenario import ScenarioError
from mock_editor.world.world import StatePart

_LARGEST_SNAPSHOT = 500_000_000
_PIECE = 1 << 20


class Reset(Model):
    """What to put back."""

    parts: Annotated[
        list[StatePart] | None,
        Field(
            min_length=1,
            description="`accounts` (with the sessions of the web sites), `appointments` (with what the SAS was told "
            "of them), `calendars` (what was opened and closed by hand), `clock`, `faults`, `journal`; by default, all",
        ),
    ] = None


@operation(
    "POST",
    "/reset",
    "reset",
    "Put the state back",
    examples=[
        Example("Everything"),
        Example("Accounts only", body={"parts": ["accounts"]}),
        Example("What there is not", body={"parts": ["everything"]}, status=422),
    ],
)
def reset(control: Control, body: Reset) -> None:
    """Puts the state back to what the scenario in play says: all of it, or some parts."""
    if body.parts:
        control.simulator.reset(body.parts)
    else:
        control.simulator.reset()


@operation("GET", "/snapshot", "snapshot save", "Save the state into a file", examples=[Example("All of it")])
def save_snapshot(control: Control) -> Download:
    """The whole state in a file that can be put back: scenario, clock, accounts, appointments, notifications, and what
    was opened and closed in calendars.

    The journal is not in it, nor are secrets of this simulator; passwords of accounts are.
    """
    with tempfile.TemporaryDirectory(prefix="mock-editor-") as folder:
        path = Path(folder) / "state.db"
        control.simulator.save(path)
        # What is open outlives its name, and the wrapper closes it, sent or not.
        return Download("mock-editor-state.db", FileWrapper(path.open("rb"), _PIECE))


@operation(
    "PUT",
    "/snapshot",
    "snapshot restore",
    "Put a saved state back",
    limit=_LARGEST_SNAPSHOT,
    refusals={422: "That was not saved by this version of the simulator, or it is damaged"},
    examples=[Example("What is no snapshot", body="not a snapshot", status=422)],
)
def restore_snapshot(control: Control, body: bytes) -> None:
    """Puts back what a snapshot holds, in the place of all state, in all workers when this is answered.

    Or nothing changes, when it cannot be.
    """
    try:
        control.simulator.restore(body)
    except StoreError as error:
        raise error.at("body") from None
    except ScenarioError as error:
        wrong = [
            issue(Code.SNAPSHOT_SCENARIO, "body", at=one.where(error.source), what=one.what) for one in error.problems
        ]
        raise EditorError(422, wrong) from None
