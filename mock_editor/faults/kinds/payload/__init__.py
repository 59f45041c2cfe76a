"""Mistakes in the appointment notifications (INT_R03) that editors send: one kind each, over ``notification.py``."""
