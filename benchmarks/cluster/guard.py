"""Remove namespaces once the process that made them has ended: `python -IS guard.py FOLDER NAMESPACE...`.

It waits for the end of its standard input, which comes also when that process is killed. Then it kills the processes in
the namespaces, and removes these and the folder.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

_PATIENCE = 10.0  # seconds


def main() -> None:
    """Wait, and remove everything."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder, names = sys.argv[1], sys.argv[2:]
    sys.stdin.buffer.read()
    for name in names:
        remove(name)
    shutil.rmtree(folder, ignore_errors=True)


def remove(name: str) -> None:
    """Kill the processes in a namespace, and remove it. One that does not exist is no error."""
    until = time.monotonic() + _PATIENCE
    while (inside := _inside(name)) and time.monotonic() < until:
        for pid in inside:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)


def _inside(name: str) -> list[int]:
    done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


if __name__ == "__main__":
    main()
