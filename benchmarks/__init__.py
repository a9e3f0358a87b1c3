"""Benchmarks, which compare programs in one run and print ratios: `python -m benchmarks` or `make bench`."""
