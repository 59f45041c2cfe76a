"""Whose calendars an editor keeps, as people look for them: in pages, by name, city or identifier."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from mock_editor.base.listings import Page, plain
from mock_editor.calendars.identifiers import StructureIdKind, read_practitioner_id, structure_id
from mock_editor.calendars.model import Association, Editor, Practitioner

Owner = Practitioner | Association

# A text is looked for among so many owners of an editor: each of those made in bulk costs some 100 µs.
MOST_SEARCHED = 2000


@dataclass(frozen=True, slots=True)
class OwnerFilter:
    """Which owners are meant: of one ``kind`` or of both, the one with a prefixed national identifier, those that a
    ``text`` is about: a name with or without a city, or an identifier with or without its prefix."""

    kind: type[Practitioner | Association] | None = None
    id: str | None = None
    text: str | None = None


class OwnersFound(NamedTuple):
    """A page of owners, and whether there are more."""

    items: list[Owner]
    more: bool


def owners(editor: Editor, wanted: OwnerFilter, page: Page) -> OwnersFound:
    """A page of the owners of an editor's calendars, associations first.

    A text that is no identifier is looked for among the first ``MOST_SEARCHED``.
    """
    if wanted.id is None and wanted.text is None:
        found = _all(editor, wanted, page.skipped)
    else:
        found = islice(_matching(editor, wanted), page.skipped, None)
    items = list(islice(found, page.limit + 1))
    return OwnersFound(items[: page.limit], len(items) > page.limit)


def _all(editor: Editor, wanted: OwnerFilter, skipped: int = 0) -> Iterator[Owner]:
    """All of them but the first ones, which are not made."""
    associations = [*editor.associations.values()] if wanted.kind is not Practitioner else []
    yield from associations[skipped:]
    if wanted.kind is not Association:
        yield from editor.directory.starting(max(0, skipped - len(associations)))


def _matching(editor: Editor, wanted: OwnerFilter) -> Iterator[Owner]:
    if wanted.id is not None:
        one = editor.directory.find(wanted.id) or editor.associations.get(wanted.id)
        found: Iterable[Owner] = [one] if one else []
    elif wanted.text and (known := _by_identifier(editor, wanted.text)):
        yield from (one for one in [known] if wanted.kind is None or isinstance(one, wanted.kind))
        return
    else:
        found = islice(_all(editor, wanted), MOST_SEARCHED)
    words = plain(wanted.text or "").split()
    for one in found:
        of_kind = wanted.kind is None or isinstance(one, wanted.kind)
        if of_kind and all(word in plain(_described(one)) for word in words):
            yield one


def _described(one: Owner) -> str:
    """What a text is looked for in."""
    name = one.name if isinstance(one, Association) else f"{one.given or ''} {one.family}"
    return f"{name} {' '.join(place.city for place in one.places)}"


def _by_identifier(editor: Editor, text: str) -> Owner | None:
    """The one with an RPPS, ADELI or SIRET, with or without its prefix, or with the key of a calendar."""
    bare = text.replace(" ", "")
    structures = [bare]
    with contextlib.suppress(ValueError):
        structures.append(structure_id(StructureIdKind.SIRET, bare))
    for one in structures:
        if one in editor.associations:
            return editor.associations[one]
    for identifier in filter(None, (bare.rpartition("-")[0], read_practitioner_id(bare))):
        if found := editor.directory.find(identifier) or editor.associations.get(identifier):
            return found
    return None
