"""The SAS where editors send it the appointments that regulators took (INT_R03), and the page that shows them.

Flow: ``routes.py`` reads requests, ``payload.py`` has the rules of a notification, ``received.py`` keeps what came;
``view.py`` says it in French.
"""
