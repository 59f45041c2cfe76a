"""What is wrong with data that pydantic checks, as issues: by types and values, never by texts."""

from pydantic_core import PydanticCustomError

from mock_editor.base.issues import Code


def invalid(code: Code, **values: object) -> PydanticCustomError:
    """What a validator of ours raises: ``raise invalid(Code.…, most=5)``."""
    # The type is the code's key; the words are made from it and the values, wherever the error ends up.
    return PydanticCustomError(code.value, code.value, dict(values) or None)
