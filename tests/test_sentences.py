"""No meaning is read from prose: nothing in the package matches patterns over, or compares, what people read.

What is wrong, or what became of something, is a code with values (``base/issues.py``) until it is shown.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mock_editor

PACKAGE = Path(mock_editor.__file__).parent
# Words of ours or of others with spaces between them, as opposed to names, headers, media types and SQL.
SENTENCE = re.compile(r"[A-Za-zÀ-ÿ]{2,}[,;:]? +[A-Za-zÀ-ÿ]{2,}[,;:.]? +[A-Za-zÀ-ÿ]{2,}")
# What only a pattern has.
PATTERN = re.compile(r"\\[dDsSwWb]|[.\])][*+]|\(\?:")
# What has been said: an error's words, an issue's, what a page shows.
SAID = {"diagnostics", "message", "text_of", "msg"}
MATCHERS = {"startswith", "endswith", "removeprefix", "removesuffix", "split", "rsplit", "partition", "rpartition",
            "find", "index", "count", "replace"}  # fmt: skip
PATTERNS = {"compile", "match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split"}


def constant(node: ast.AST) -> str:
    """The text that a node is, or that is in it where it is put together."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(constant, node.values))
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return "\n".join(map(constant, node.elts))
    return ""


def says(node: ast.AST) -> bool:
    """Whether it is what somebody has said: the words of an error or an issue."""
    if isinstance(node, ast.Attribute):
        return node.attr in SAID
    if isinstance(node, ast.Subscript):
        return constant(node.slice) in SAID
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ("english", "french", "in_english", "in_french"):
            return True
        return node.func.id == "str" and bool(node.args) and isinstance(node.args[0], ast.Name) and (
            node.args[0].id in ("error", "exception")
        )  # fmt: skip
    return False


def matched(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where a text that people read is matched, taken apart or compared."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documentation:
            if SENTENCE.search(constant(node)) and PATTERN.search(constant(node)):
                yield node.lineno, f"a pattern of words: {constant(node)[:60]!r}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            over, name = node.func.value, node.func.attr
            given = [constant(one) for one in node.args]
            if name in PATTERNS and isinstance(over, ast.Name) and over.id == "re":
                if any(says(one) for one in node.args):
                    yield node.lineno, "a pattern over words"
            elif name in MATCHERS and (says(over) or (given and SENTENCE.search(given[0]) and name != "replace")):
                yield node.lineno, f"{name} over words"
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(says(one) for one in sides):
                yield node.lineno, "a comparison with words"
            elif any(SENTENCE.search(constant(one)) for one in sides):
                yield node.lineno, "a comparison with a sentence"


@pytest.mark.parametrize(
    "code",
    [
        r'[(re.compile(p), f) for p, f in ((r"Input should be a valid integer.*", "un nombre"),)]',
        r'if error.message.startswith("Value"): pass',
        r'one["msg"].removeprefix("Value error, ")',
        r'if str(error) == "no": pass',
        r'if "database is locked" in str(error): pass',
        r'result.partition(": the connection was closed")',
        r'if told == "the file is empty": pass',
    ],
)
def test_what_reads_a_sentence_is_found(code: str) -> None:
    assert list(matched(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        '"""Words that explain, such as .* and more of them."""',
        'db.execute("select name from table where x = 1")',
        'raise ValueError("this is a bug of ours")',
        'if request.method == "GET": pass',
        'path.partition("/")',
    ],
)
def test_what_reads_none_is_left_alone(code: str) -> None:
    assert list(matched(ast.parse(code))) == []


def test_nothing_is_read_from_sentences() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {what}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, what in matched(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []
