"""Stands in for the SAS where the real one is missing. It knows no editor from inside: it talks HTTP to them."""
