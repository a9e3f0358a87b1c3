"""Measurements for many machines and for 1,000,000,000 files; README.md beside `benchmarks` describes the commands."""
