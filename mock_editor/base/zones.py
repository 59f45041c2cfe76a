"""The time zone of whatever belongs to no editor."""

from zoneinfo import ZoneInfo

DEFAULT_ZONE = ZoneInfo("Europe/Paris")
