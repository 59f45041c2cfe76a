"""Durations that tell apart two behaviours, on a machine as busy as may be."""

# Seconds within which what happens at once has happened.
SOON = 30.0
# Seconds for what would otherwise be waited for: so far from ``SOON`` that no machine confuses them.
LONG = 300.0
