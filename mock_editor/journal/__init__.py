"""The journal of every HTTP exchange, in and out, and the metrics that are counted with it."""
