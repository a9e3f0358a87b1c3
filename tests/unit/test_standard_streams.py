"""Standard streams that are closed when a process starts."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from bulkup.helpers.standard_streams import open_missing_streams

open_missing_streams()
open_missing_streams()  # a second call changes nothing
kinds = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
print("text", flush=True)
print("\\udcff", file=sys.stderr, flush=True)
sys.stdin.read()
inherited = [os.get_inheritable(number) for number in range(3)]
with open(sys.argv[1], "w") as report:
    print(*kinds, *inherited, report.fileno(), sep="\\n", file=report)
"""


@pytest.mark.parametrize(
    "closed", [numbers for count in range(4) for numbers in itertools.combinations(range(3), count)], ids=str
)
def test_a_missing_descriptor_becomes_the_null_device(closed: tuple[int, ...], tmp_path: os.PathLike[str]) -> None:
    """Streams that are open stay open, and other files get higher numbers."""
    report = os.path.join(tmp_path, "report")
    redirected = " ".join(f"{number}{'<' if number == 0 else '>'}&-" for number in closed)
    shell = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", PROGRAM, report]
    done = subprocess.run(shell, input=b"", capture_output=True, check=True)
    with open(report) as file:
        lines = file.read().splitlines()
    assert [number for number, kind in enumerate(lines[:3]) if kind == os.devnull] == list(closed)
    assert set(lines[3:6]) == {"True"}
    assert int(lines[6]) > 2
    assert done.stdout == (b"" if 1 in closed else b"text\n")
    assert done.stderr == (b"" if 2 in closed else b"\\udcff\n")
