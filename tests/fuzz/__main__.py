"""Run all targets one after another, print a line for each, and fail on a crash: `python -m fuzz --seconds 600`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from fuzz.targets import TARGETS

CRASHES = os.path.join(os.path.dirname(__file__), "crashes")
_LONGEST_INPUT = 8192  # bytes
_SLOWEST_INPUT = 10  # seconds after which an input counts as a hang
_MOST_MEMORY = 2048  # MiB
_STATE = re.compile(r"^#\d+\s+\w+.*?cov: (\d+) ft: (\d+)", re.MULTILINE)
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@dataclass(frozen=True)
class Done:
    """The result of one target: runs, covered edges and features, and the output of a crash."""

    name: str
    runs: int
    edges: int
    features: int
    broke: str


def fuzzed(name: str, seconds: int, corpus: str) -> Done:
    """Run one target for `seconds` seconds."""
    folder = os.path.join(corpus, name)
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds):
        with open(os.path.join(folder, f"seed-{number}"), "wb") as file:
            file.write(seed)
    crashes = os.path.join(CRASHES, name)
    os.makedirs(crashes, exist_ok=True)
    options = [
        *(f"-max_total_time={seconds}", f"-timeout={_SLOWEST_INPUT}", f"-rss_limit_mb={_MOST_MEMORY}"),
        *(f"-max_len={_LONGEST_INPUT}", f"-artifact_prefix={crashes}/", "-print_final_stats=1"),
    ]
    command = [sys.executable, "-m", "fuzz.worker", name, crashes, *options, folder, crashes]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = process.stdout.decode("utf-8", "replace")
    states = _STATE.findall(said) or [("0", "0")]
    edges, features = (int(figure) for figure in states[-1])
    runs = _RUNS.search(said)
    return Done(name, int(runs[1]) if runs else 0, edges, features, said[-4000:] if process.returncode else "")


def main() -> int:
    """Return 1 if a target crashed."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together (default 600)")
    parser.add_argument("--corpus", help="a folder that keeps what was found interesting, for the next time")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all unless given")
    given = parser.parse_args()
    names = given.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if importlib.util.find_spec("atheris") is None:
        parser.exit(2, "atheris is not installed: `pip install '.[fuzz]'`, where it is to be had for this platform\n")
    with tempfile.TemporaryDirectory() as temporary:
        return _run(names, max(1, given.seconds // len(names)), given.corpus or temporary)


def _run(names: list[str], seconds: int, corpus: str) -> int:
    print(f"{len(names)} targets, {seconds} s each", flush=True)
    all_done = []
    for name in names:
        done = fuzzed(name, seconds, corpus)
        all_done.append(done)
        figures = f"{done.runs:>9} runs  {done.edges:>5} edges  {done.features:>6} features"
        print(f"{name:<18}{figures}  {'BROKE' if done.broke else 'ok'}", flush=True)
        if done.broke:
            print(done.broke, flush=True)
    broke = [done.name for done in all_done if done.broke]
    print(f"{sum(done.runs for done in all_done)} runs; {f'broke: {broke}' if broke else 'nothing broke'}")
    return 1 if broke else 0


if __name__ == "__main__":
    sys.exit(main())
