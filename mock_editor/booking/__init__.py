"""The web site of an editor, for regulators whom the SAS sends and for others: sign-in, calendars, appointments."""
