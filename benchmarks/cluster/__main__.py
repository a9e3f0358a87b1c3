"""Measurements for many machines: `python -m benchmarks.cluster PART`."""

from __future__ import annotations

import argparse
import importlib
import sys

# Each is imported alone: Dask would add to the memory that the others measure.
_PARTS = {
    "journal": "journal_costs",
    "messages": "message_costs",
    "links": "links",
    "local": "local",
    "memory": "memory",
    "cut": "cut",
    "kills": "kills",
    "simulation": "simulation",
}


def main() -> int:
    """Run the named part, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("part", choices=_PARTS)
    part = parser.parse_args(sys.argv[1:2]).part
    module = importlib.import_module(f"benchmarks.cluster.{_PARTS[part]}")
    return int(module.main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
