"""Faults on demand: rules that make editors slow, failing or wrong, and the kinds of what they do."""
