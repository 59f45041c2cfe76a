"""The SAS where regulators look for a slot: it signs them in, tells the editors of them, and asks these for slots.

Flow: ``routes.py`` has the pages; ``sign_in.py`` says who somebody is, ``accounts.py`` tells the editors (INT_R02);
``directory.py`` knows whom to ask for, ``search.py`` asks (INT_R01, INT_R04, SOS Médecins), ``checks/`` says what is
wrong with an answer, ``place_results.py`` what is shown of it. ``calls.py`` is the network; all SQL is in ``store.py``.
"""
