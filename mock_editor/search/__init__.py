"""Slot searches (INT_R01) and reads: what the SAS asks an editor."""
