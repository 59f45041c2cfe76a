"""A world: a scenario that is played, with the state of both sides, the editors and the bench."""
