"""Measurements for many machines: `python -m benchmarks.cluster journal|links`."""

from __future__ import annotations

import argparse
import sys

from benchmarks.cluster import journal_costs, links

_PARTS = {"journal": journal_costs.main, "links": links.main}


def main() -> int:
    """Run the named part, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("part", choices=_PARTS)
    part = parser.parse_args(sys.argv[1:2]).part
    return _PARTS[part](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
