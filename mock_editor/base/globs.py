"""Patterns in which ``*`` stands for any text. No other sign is special."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches, in time linear in the length of both."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *between, last = others
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    # Taking the first occurrence of each part is enough: no backtracking.
    for part in between:
        position = text.find(part, at, end)
        if position < 0:
            return False
        at = position + len(part)
    return True
