"""Compare bulkup with other tools, on the same files and the same store, in turn: `python -m benchmarks peers`."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from benchmarks import rescanning, table
from benchmarks.chart import chart
from benchmarks.clients import bulkup
from benchmarks.clients.base import Client
from benchmarks.documents import publish
from benchmarks.figures import Measured, Results, from_json, measured, to_json, together
from benchmarks.scenarios import LARGE_FILES, MIB, Scenario, chosen, scenarios, size_text
from benchmarks.stage import large_size, room_in_memory, run_scenario

_NAMES = ("small", "https", "mixed", "large", "wan", "rescan")


def main(given: list[str]) -> int:
    """Measure, print the tables, write the requested files, and return the exit code."""
    arguments = _parser().parse_args(given)
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx and ip are there on Debian, but not in the PATH of a user
    signal.signal(signal.SIGTERM, _leave)
    earlier = _read(arguments.json) if arguments.add and os.path.exists(arguments.json or "") else Results({})
    results = earlier
    for found in [_read(arguments.tables)] if arguments.tables else _measure(arguments):
        results = together(earlier, found)
        _write(results, arguments)  # after each scenario, so that an interrupted run keeps its figures
    print(f"\n{table.whole(results)}")
    if arguments.publish:
        publish(results)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks peers", description=__doc__)
    parser.add_argument("--only", type=_names, default=[], metavar="NAMES", help=f"of {','.join(_NAMES)}")
    parser.add_argument("--clients", type=_list, default=[], metavar="NAMES", help="run only these clients")
    parser.add_argument("--rounds", type=int, default=0, help="default: 5, and 3 of large files and over the link")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the files and one round, as a check of the harness"
    )
    parser.add_argument("--large-size", type=int, default=1024, metavar="MIB", help="size of a large file")
    parser.add_argument("--rescan-files", type=int, default=1_000_000, help="files of the tree for the second run")
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=OPTIONS",
        help="another run of bulkup, with these options",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--add", action="store_true", help="keep the figures of other scenarios in FILE")
    parser.add_argument("--chart", metavar="FILE", help="write an SVG chart to FILE")
    parser.add_argument("--publish", action="store_true", help="write the figures into README and docs/performance.md")
    parser.add_argument("--tables", metavar="FILE", help="show the figures of FILE, without a measurement")
    return parser


def _list(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _names(text: str) -> list[str]:
    if unknown := set(_list(text)) - set(_NAMES):
        raise argparse.ArgumentTypeError(f"no scenario is called {', '.join(sorted(unknown))}")
    return _list(text)


def _measure(arguments: argparse.Namespace) -> Iterator[Results]:
    """Yield the results so far, after each scenario."""
    notes: list[str] = []
    found: list[Measured] = []
    missing: dict[str, str] = {}
    large = _large(arguments, notes)
    for scenario in chosen(scenarios(quick=arguments.quick, large=large), arguments.only):
        _tell(f"{scenario.title}")
        try:
            found.append(_one(scenario, arguments))
        except (LookupError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
            missing[scenario.name] = str(error.args[0] if isinstance(error, LookupError) else error)
            _tell(f"  NOT RUN: {missing[scenario.name]}")
        yield Results(_machine(notes), tuple(found), {}, missing)
    again = _again(arguments, missing)
    yield Results(_machine(notes), tuple(found), again, missing)


def _large(arguments: argparse.Namespace, notes: list[str]) -> int:
    asked = (arguments.large_size // (16 if arguments.quick else 1)) * MIB
    fits = large_size(asked, LARGE_FILES, room_in_memory())
    if fits < asked and (not arguments.only or "large" in arguments.only):
        notes.append(
            f"Large files have {size_text(fits)} instead of {size_text(asked)}: there is no room in memory for more."
        )
        _tell(f"! {notes[-1]}")
    if arguments.quick:
        notes.append("A quick run with a tenth of the files. The requirements are those of a whole run.")
    return fits


def _one(scenario: Scenario, arguments: argparse.Namespace) -> Measured:
    few = scenario.name in ("large", "wan")
    rounds = arguments.rounds or (1 if arguments.quick else 3 if few else 5)
    return measured(scenario, run_scenario(scenario, _clients(scenario, arguments), rounds, _tell))


def _clients(scenario: Scenario, arguments: argparse.Namespace) -> Sequence[Client]:
    named = [one for one in scenario.clients if one.name in arguments.clients or not arguments.clients]
    variants = [variant.partition("=") for variant in arguments.variant]
    return [*named, *(bulkup.client(name, name, options.split()) for name, _, options in variants)]


def _again(arguments: argparse.Namespace, missing: dict[str, str]) -> dict[str, Any]:
    if arguments.only and "rescan" not in arguments.only:
        return {}
    files = arguments.rescan_files // (20 if arguments.quick else 1)
    _tell(f"A second run over {files:,} files")
    try:
        return rescanning.measure(files, _tell)
    except (LookupError, RuntimeError) as error:
        missing["rescan"] = str(error.args[0])
        _tell(f"  NOT RUN: {missing['rescan']}")
        return {}


def _machine(notes: list[str]) -> dict[str, Any]:
    nginx = subprocess.run([shutil.which("nginx") or "nginx", "-v"], capture_output=True, text=True, check=False)
    return {
        "when": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "nginx": nginx.stderr.strip().rpartition("/")[2],
        "notes": notes,
    }


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _read(path: str) -> Results:
    with open(path, "rb") as file:
        return from_json(file.read())


def _write(results: Results, arguments: argparse.Namespace) -> None:
    if arguments.json:
        os.makedirs(os.path.dirname(arguments.json) or ".", exist_ok=True)
        with open(arguments.json, "wb") as file:
            file.write(to_json(results))
    if arguments.chart:
        with open(arguments.chart, "w", encoding="utf-8") as file:
            file.write(chart(results))


def _leave(number: int, _frame: object) -> NoReturn:
    """Exit as after an exception, so that processes, namespaces and folders are removed."""
    sys.exit(128 + number)


def _tell(line: str) -> None:
    print(line, flush=True)
