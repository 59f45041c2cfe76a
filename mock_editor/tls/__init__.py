"""Mutual TLS as the SAS asks for it: who a client is, and whether it may come in."""
