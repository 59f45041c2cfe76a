"""The SAS where regulators look for slots: it signs them in, sends their accounts to the editors, and asks for slots.

Flow: ``routes.py`` has the pages; ``sign_in.py`` signs regulators in, ``accounts.py`` sends their accounts (INT_R02);
``directory.py`` lists who can be consulted, ``search.py`` asks for slots (INT_R01, INT_R04, SOS Médecins), ``checks/``
finds what is wrong with an answer, ``place_results.py`` prepares what the page shows of it. ``calls.py`` is the
network; all SQL is in ``store.py``.
"""
