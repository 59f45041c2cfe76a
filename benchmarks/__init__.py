"""Benchmarks of the simulator: ``python -m benchmarks``. See README.md."""
