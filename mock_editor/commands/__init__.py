"""The sub-commands of ``mock-editor``, a module each; ``cli.py`` loads the one that is called.

Commands that work with a running simulator import nothing of the server: they are made from ``operations.json``, which
``generate.py`` writes and the package ships.
"""
