"""What the editors hold: people, places, calendars and their slots. No web, no FHIR."""
