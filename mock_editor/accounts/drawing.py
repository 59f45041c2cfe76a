"""Ids and passwords of accounts: drawn from seed and number, so that the same requests give the same accounts."""

import random
import uuid

from mock_editor.calendars.model import Editor

# Read aloud and typed by trainees: without what is easily mistaken.
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_PASSWORD_GROUPS, _PASSWORD_GROUP = 3, 4
_NAMESPACE = uuid.UUID("6f2d3c1e-8f0b-5b43-9a51-2d7c0d1c5a10")


def account_id(editor: Editor, number: int) -> str:
    """The id of an editor's account ``number``."""
    return str(uuid.uuid5(_NAMESPACE, _seed(editor, number)))


def password(editor: Editor, number: int, count: int) -> str:
    """The password ``count`` (from 1) of an editor's account ``number``."""
    draw = random.Random(f"{_seed(editor, number)}:password:{count}")
    return "-".join("".join(draw.choices(_LETTERS, k=_PASSWORD_GROUP)) for _ in range(_PASSWORD_GROUPS))


def _seed(editor: Editor, number: int) -> str:
    return f"{editor.seed}:account:{number}"
