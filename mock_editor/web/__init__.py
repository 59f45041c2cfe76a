"""What the web has for all features: the first page, health, metrics, and the answers to refused requests."""
