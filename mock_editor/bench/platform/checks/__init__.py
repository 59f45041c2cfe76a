"""What the SAS can check of an answer to a slot search: its structure, then the answer against its request and itself.

Each check finds every thing wrong with its place. They take broken answers, and leave to each other what belongs there:
only ``times`` misses a start. Source: the guide's pages on INT_R01, INT_R04 and SOS Médecins, and its FAQ.
"""
