"""INT_R03: the SAS is notified of what happens to appointments that were taken through it."""
