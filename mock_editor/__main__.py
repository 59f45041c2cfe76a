"""``python -m mock_editor``: the same as the command ``mock-editor``."""

from mock_editor.cli import main

if __name__ == "__main__":
    main()
