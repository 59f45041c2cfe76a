"""Where two JSON values differ, told by the paths of resources, so that a test can say what a fault may change."""

import json
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any


def differences(before: Any, after: Any) -> Counter[str]:
    """How often what differs: ``~Slot.start`` changed, ``-Slot.comment`` gone, ``+entry Slot`` new; no positions."""
    return Counter(_differences(before, after, ""))


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            inner = _path(path, name, before)
            if name not in after:
                yield f"-{inner}"
            elif name not in before:
                yield f"+{inner}"
            else:
                yield from _differences(before[name], after[name], inner)
        # The order of members means nothing to a client, but faults have no business with it.
        if [name for name in before if name in after] != [name for name in after if name in before]:
            yield f"order of {path}"
    elif isinstance(before, list) and isinstance(after, list):
        yield from _in_lists(before, after, path)
    elif before != after or type(before) is not type(after):
        yield f"~{path}"


def _in_lists(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    if len(before) == len(after):
        for pair in zip(before, after, strict=True):
            yield from _differences(*pair, path)
        return
    matcher = SequenceMatcher(None, [*map(_key, before)], [*map(_key, after)], autojunk=False)
    for _, first, last, other_first, other_last in matcher.get_opcodes():
        olds, news = before[first:last], after[other_first:other_last]
        if len(olds) == len(news):
            for pair in zip(olds, news, strict=True):
                yield from _differences(*pair, path)
        else:
            yield from (f"-{path}{_type(old)}" for old in olds)
            yield from (f"+{path}{_type(new)}" for new in news)


def _path(path: str, name: str, owner: dict[str, Any]) -> str:
    if name == "resource" and path == "entry":
        return str(owner["resource"]["resourceType"])
    return f"{path}.{name}" if path else name


def _key(item: Any) -> str:
    entry = isinstance(item, dict) and item.get("fullUrl")
    return entry or json.dumps(item)


def _type(item: Any) -> str:
    return f" {item['resource']['resourceType']}" if isinstance(item, dict) and "resource" in item else ""
