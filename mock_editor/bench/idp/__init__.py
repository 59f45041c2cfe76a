"""The embedded OpenID Connect provider, where « Pro Santé Connect » is not there: who is one of its people says so.

Flow: ``routes.py`` reads requests and writes pages, ``provider.py`` has the rules, ``store.py`` what workers share.
"""
