"""Run a command as if the machine had booted a moment ago: `python tests/tools/young_clock.py SECONDS COMMAND...`.

The command gets a time namespace of Linux in which the monotonic clock started SECONDS ago. Code that subtracts from
that clock, or takes zero for "never", behaves differently there than on a machine that has been up for weeks.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    """Replace this process by the command."""
    if len(arguments) < 2 or not arguments[0].isdecimal():
        sys.exit("usage: python tests/tools/young_clock.py SECONDS COMMAND...")
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        sys.exit("this needs Linux 5.6 or later, and the command unshare of util-linux 2.36 or later")
    seconds, *command = arguments
    as_user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    monotonic = f"--monotonic={_offset(time.CLOCK_MONOTONIC, seconds)}"
    boottime = f"--boottime={_offset(time.CLOCK_BOOTTIME, seconds)}"
    os.execvp("unshare", ["unshare", *as_user, "--time", monotonic, boottime, "--fork", "--kill-child", *command])


def _offset(clock: int, seconds: str) -> int:
    return int(seconds) - int(time.clock_gettime(clock))


if __name__ == "__main__":
    main(sys.argv[1:])
