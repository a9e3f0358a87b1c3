"""The benchmarks: `python -m benchmarks peers|pipeline|services`.

`peers` compares bulkup with other tools, `pipeline` with a bare loop of its HTTP client, and `services` the providers
with each other. Figures are comparable within one run on one machine only. They are therefore printed as ratios of
medians over several rounds.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import overhead, peers

_PARTS = {"peers": peers.main, "pipeline": overhead.pipeline_main, "services": overhead.services_main}


def main() -> int:
    """Run the named part, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=_PARTS)
    part = parser.parse_args(sys.argv[1:2]).part
    return _PARTS[part](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
