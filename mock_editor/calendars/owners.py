"""Finds the owners of an editor's calendars: in pages, by name, city or identifier."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from mock_editor.base.listings import Page, plain
from mock_editor.calendars.identifiers import StructureIdKind, read_practitioner_id, structure_id
from mock_editor.calendars.model import Association, Editor, Practitioner

Owner = Practitioner | Association

# How many owners of an editor a text is compared with: each practitioner made in bulk costs some 100 µs.
MOST_SEARCHED = 2000


@dataclass(frozen=True, slots=True)
class OwnerFilter:
    """Which owners are wanted. ``kind`` is one of both types, ``id`` a prefixed national identifier; ``text`` is a name
    with or without a city, or an identifier with or without its prefix."""

    kind: type[Practitioner | Association] | None = None
    id: str | None = None
    text: str | None = None


class OwnersFound(NamedTuple):
    """A page of owners, and whether there are more."""

    items: list[Owner]
    more: bool


def owners(editor: Editor, wanted: OwnerFilter, page: Page) -> OwnersFound:
    """A page of the owners of an editor's calendars, associations first.

    A text that is not an identifier is only compared with the first ``MOST_SEARCHED``.
    """
    if wanted.id is None and wanted.text is None:
        found = _all(editor, wanted, page.skipped)
    else:
        found = islice(_matching(editor, wanted), page.skipped, None)
    items = list(islice(found, page.limit + 1))
    return OwnersFound(items[: page.limit], len(items) > page.limit)


def _all(editor: Editor, wanted: OwnerFilter, skipped: int = 0) -> Iterator[Owner]:
    """All owners after the first ``skipped``, which are not computed."""
    associations = [*editor.associations.values()] if wanted.kind is not Practitioner else []
    yield from associations[skipped:]
    if wanted.kind is not Association:
        yield from editor.directory.starting(max(0, skipped - len(associations)))


def _matching(editor: Editor, wanted: OwnerFilter) -> Iterator[Owner]:
    if wanted.id is not None:
        owner = editor.directory.find(wanted.id) or editor.associations.get(wanted.id)
        candidates: Iterable[Owner] = [owner] if owner else []
    elif wanted.text and (known := _by_identifier(editor, wanted.text)):
        if wanted.kind is None or isinstance(known, wanted.kind):
            yield known
        return
    else:
        candidates = islice(_all(editor, wanted), MOST_SEARCHED)
    words = plain(wanted.text or "").split()
    for candidate in candidates:
        of_kind = wanted.kind is None or isinstance(candidate, wanted.kind)
        if of_kind and all(word in plain(_searchable(candidate)) for word in words):
            yield candidate


def _searchable(owner: Owner) -> str:
    """The name and the cities of an owner, in which a text is searched."""
    name = owner.name if isinstance(owner, Association) else f"{owner.given or ''} {owner.family}"
    return f"{name} {' '.join(place.city for place in owner.places)}"


def _by_identifier(editor: Editor, text: str) -> Owner | None:
    """The owner with this RPPS, ADELI or SIRET, with or without its prefix, or of the calendar with this key."""
    bare = text.replace(" ", "")
    structures = [bare]
    with contextlib.suppress(ValueError):
        structures.append(structure_id(StructureIdKind.SIRET, bare))
    for structure in structures:
        if structure in editor.associations:
            return editor.associations[structure]
    for identifier in filter(None, (bare.rpartition("-")[0], read_practitioner_id(bare))):
        if found := editor.directory.find(identifier) or editor.associations.get(identifier):
            return found
    return None
