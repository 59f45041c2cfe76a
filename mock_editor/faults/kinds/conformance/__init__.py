"""Mistakes in search answers that editors really make: one kind each, all over one mechanism (``searchset.py``)."""
