"""The command ``mock-editor``, and ``python -m mock_editor``, which runs in a checkout that is not installed too.

An older Python has to understand this file, to say what is missing.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - pip checks it, but nobody has to use pip
    sys.exit("mock-editor: Python 3.11 or newer is needed, this is {}.{}".format(*sys.version_info[:2]))

from mock_editor.base.missing import package_missing

try:
    from mock_editor.cli import main
except ImportError as error:
    sys.exit(package_missing(error))

if __name__ == "__main__":
    main()
