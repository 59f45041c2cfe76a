"""Patterns in which ``*`` stands for anything, and nothing else for something else."""


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is as the pattern says, in time that grows with both and no faster."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *between, last = others
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    # If what comes next is anywhere, it may as well be where it is first: no need to come back.
    for part in between:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
