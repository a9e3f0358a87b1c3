"""Measurements, side by side and as ratios; `python -m benchmarks` or `make bench`."""
