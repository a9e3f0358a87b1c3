"""Run a command and measure it: `python -IS launch.py RESULT COMMAND...`.

Linux counts the memory of the parent into the peak of a process that it starts. This program is therefore small: it
imports the standard library only, and the smallest peak that it can report is its own, 10 MiB. The figures are those of
the command and of all processes that it waited for. The peak is that of the largest of them.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run the command, and write seconds, CPU seconds, peak memory in MiB and exit code to a JSON file."""
    result, command = sys.argv[1], sys.argv[2:]
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - started
    scale = 1024**2 if sys.platform == "darwin" else 1024
    taken = {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss / scale,
        "status": os.waitstatus_to_exitcode(status),
    }
    with open(result, "w", encoding="ascii") as file:
        json.dump(taken, file)


if __name__ == "__main__":
    main()
