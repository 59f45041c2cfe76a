"""INT_R02: the accounts of regulators, which the SAS creates and updates in each editor."""
