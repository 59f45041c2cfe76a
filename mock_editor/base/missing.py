"""What to say where a package that this one needs is not installed."""


def package_missing(error: ImportError) -> str:
    """A line that says what to do. Raises the error again if a module of ours is missing: that is a mistake of ours."""
    if (error.name or "mock_editor").partition(".")[0] == "mock_editor":
        raise error
    return f"mock-editor: {error}; in its folder, `pip install .` gets what it needs (or `make run`)"
