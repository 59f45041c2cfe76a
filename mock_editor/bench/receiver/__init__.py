"""The SAS where it receives the appointments that regulators took (INT_R03), and the pages that show them.

Flow: ``routes.py`` reads requests, ``payload.py`` has the rules of a notification, ``received.py`` keeps what came;
``view.py`` says it in French.
"""
