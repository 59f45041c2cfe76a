"""INT_R03: notifies the SAS of changes to the appointments that were taken through it."""
