"""What the web side has for all features: the first page, health and metrics, and how refusals are answered."""
