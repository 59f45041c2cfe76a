"""What a process plays, and what takes its place: worlds, one after the other."""
