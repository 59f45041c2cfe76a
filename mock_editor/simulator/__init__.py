"""The worlds that a process plays, one after the other."""
