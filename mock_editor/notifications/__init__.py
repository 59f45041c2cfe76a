"""INT_R03: what happens to appointments that were taken through the SAS is told to the SAS."""
