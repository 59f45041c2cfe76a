"""What the SAS can check in an answer to a slot search: its structure, then the answer against its request and itself.

Each check finds everything that breaks its rule, with the places. Checks accept broken answers, and none repeats the
findings of another: only ``times`` reports a missing start.

Source: the guide's pages on INT_R01, INT_R04 and SOS Médecins, and its FAQ.
"""
