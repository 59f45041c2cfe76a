"""A world: a scenario that is played, with all that is kept of it on both sides, the editors' and the bench's."""
