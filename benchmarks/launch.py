"""Runs a command and says what it took, as one JSON line in a file: `python -IS launch.py RESULT COMMAND...`.

A process of its own and nothing but the standard library, because Linux counts the memory of whoever starts a process
into that process's peak: started from here the least peak that can be told is that of this small program, 10 MiB.
The figures are of the command and of all processes that it waited for; the peak is that of the largest one of them.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run the command of the command line, and write seconds, CPU seconds, peak memory in MiB and exit status."""
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
