"""The embedded OpenID Connect provider, in place of « Pro Santé Connect »: people choose who they are, without proof.

Flow: ``routes.py`` reads requests and writes pages, ``provider.py`` has the rules, ``store.py`` has what workers share.
"""
