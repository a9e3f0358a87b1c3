"""`python -m benchmarks peers|pipeline|services`: other tools beside bulkup, the pipeline beside a bare loop, or the
services' ways beside one another.

Figures of one run on one machine compare with each other and with nothing else; so they are printed as ratios, of
medians over several rounds in turn.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import overhead, peers

_PARTS = {"peers": peers.main, "pipeline": overhead.pipeline_main, "services": overhead.services_main}


def main() -> int:
    """Run the part that is named, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=_PARTS)
    part = parser.parse_args(sys.argv[1:2]).part
    return _PARTS[part](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
