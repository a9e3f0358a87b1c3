"""Compare bulkup with other tools, on the same files and the same store, in turn: `python -m benchmarks peers`."""

from __future__ import annotations

import argparse
import compileall
import dataclasses
import math
import os
import signal
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from benchmarks import earlier_version, estimate, rescanning, table
from benchmarks.chart import chart
from benchmarks.clients import bulkup
from benchmarks.clients.base import Client
from benchmarks.documents import publish
from benchmarks.figures import Measured, Results, comparable, from_json, measured, to_json, together
from benchmarks.machine import circumstances, machine, revision
from benchmarks.scenarios import LARGE_FILES, MIB, SCENARIOS, Scenario, chosen, scenarios, size_text
from benchmarks.stage import large_size, room_in_memory, run_scenario

# The order in which they run: the last one is the least important if there is no time for all.
_NAMES = (*(name for name in SCENARIOS if name != "wan-bbr"), "rescan", "wan-bbr")
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EARLIER_REVISION = "098f0a5"


def main(given: list[str]) -> int:
    """Measure, print the tables, write the requested files, and return the exit code."""
    parser = _parser()
    arguments = parser.parse_args(given)
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # nginx and ip are there on Debian, but not in the PATH of a user
    signal.signal(signal.SIGTERM, _leave)
    if arguments.quick:  # the figures of a whole run took long and stay
        arguments.json, arguments.chart = _quick_name(arguments.json), _quick_name(arguments.chart)
    results = earlier = _earlier(arguments)
    if earlier.scenarios and not arguments.tables and not comparable(earlier, machine()):
        parser.error(f"{arguments.json} has figures of another machine: add --new to discard them")
    for found in [_read(arguments.tables)] if arguments.tables else _measure(arguments, earlier):
        results = together(earlier, found)
        _write(results, arguments)  # after each scenario, so that an interrupted run keeps its figures
    if results.machine and not arguments.prepare:
        print(f"\n{table.whole(results)}")
    if arguments.publish:
        publish(results)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks peers", description=__doc__)
    parser.add_argument("--only", type=_names, default=[], metavar="NAMES", help=f"of {','.join(_NAMES)}")
    parser.add_argument("--clients", type=_list, default=[], metavar="NAMES", help="run only these clients")
    parser.add_argument("--rounds", type=int, default=0, help="default: 5, and 3 in the longer scenarios")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the files and one round, as a check of the harness"
    )
    parser.add_argument(
        "--max-minutes", type=float, default=math.inf, metavar="N", help="leave out scenarios that end later"
    )
    parser.add_argument("--prepare", action="store_true", help="only install, compile, and print the estimated time")
    parser.add_argument("--large-size", type=int, default=1024, metavar="MIB", help="size of a large file")
    parser.add_argument("--rescan-files", type=int, default=1_000_000, help="files of the tree for the second run")
    parser.add_argument(
        "--revision",
        default=EARLIER_REVISION,
        help="compare the CPU time with this version (default: %(default)s)",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME=OPTIONS",
        help="another run of bulkup, with these options",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE, and keep those of other scenarios")
    parser.add_argument("--new", action="store_true", help="discard the figures in FILE")
    parser.add_argument(
        "--continue",
        action="store_true",
        dest="goes_on",
        help="measure only the scenarios that FILE lacks at this revision",
    )
    parser.add_argument("--chart", metavar="FILE", help="write an SVG chart to FILE")
    parser.add_argument("--publish", action="store_true", help="write the figures into README and docs/performance.md")
    parser.add_argument("--tables", metavar="FILE", help="show the figures of FILE, without a measurement")
    return parser


def _quick_name(path: str | None) -> str | None:
    stem, suffix = os.path.splitext(path or "")
    return f"{stem}-quick{suffix}" if path else None


def _list(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _names(text: str) -> list[str]:
    if unknown := set(_list(text)) - set(_NAMES):
        raise argparse.ArgumentTypeError(f"no scenario is called {', '.join(sorted(unknown))}")
    return _list(text)


def _measure(arguments: argparse.Namespace, earlier: Results) -> Iterator[Results]:
    """Yield the results so far, after each scenario."""
    notes: list[str] = []
    if arguments.quick:
        notes.append("A quick run with a tenth of the files. The requirements are those of a whole run.")
    found: list[Measured] = []
    missing: dict[str, str] = {}
    rescan: dict[str, Any] = {}
    wanted = [name for name in arguments.only or _NAMES if not (arguments.goes_on and _is_done(name, earlier))]
    large = _large(arguments, notes) if {"large", "parts"} & {*wanted} else MIB
    every = scenarios(quick=arguments.quick, large=large, revision=arguments.revision)
    planned = chosen(every, wanted) if wanted else []
    _prepare(arguments, wanted)
    estimates = _estimates(planned, arguments, again="rescan" in wanted)
    if arguments.prepare:
        return
    begun = time.monotonic()
    for name in [name for name in _NAMES if name in wanted]:
        if time.monotonic() - begun + estimates[name] > arguments.max_minutes * 60:
            _tell(f"{name} is left out: it takes {estimates[name] / 60:.1f} minutes, and --max-minutes would be over")
            continue
        try:
            if name == "rescan":
                rescan = _again(arguments)
            else:
                found.append(_one(next(one for one in planned if one.name == name), arguments))
        except Exception as error:  # noqa: BLE001 a scenario that fails must not lose the figures of the others
            missing[name] = f"{type(error).__name__}: {error}" if not error.args else str(error.args[0])
            _tell(f"  NOT RUN: {missing[name]}")
        yield Results(machine(notes), tuple(found), rescan, dict(missing))


def _is_done(name: str, earlier: Results) -> bool:
    """Return whether the figures of this revision are there already."""
    if name == "rescan":
        return bool(earlier.rescan) and earlier.rescan["circumstances"]["revision"] == revision()
    return any(one.name == name and one.circumstances.revision == revision() for one in earlier.scenarios)


def _prepare(arguments: argparse.Namespace, wanted: Sequence[str]) -> None:
    """Install the earlier version, and compile all modules, which PYTHONDONTWRITEBYTECODE may have prevented."""
    folders = [os.path.join(_ROOT, "bulkup"), os.path.join(_ROOT, "benchmarks"), sysconfig.get_path("purelib")]
    if "cpu" in wanted:
        try:
            earlier_version.prepare(arguments.revision)
            folders.append(os.path.join(earlier_version.folder_of(arguments.revision), "lib"))
        except LookupError as error:
            _tell(f"! The earlier version cannot be installed: {error.args[0]}")
    for folder in folders:
        compileall.compile_dir(folder, quiet=2)


def _estimates(planned: Sequence[Scenario], arguments: argparse.Namespace, *, again: bool) -> dict[str, float]:
    """Return and print the estimated seconds of the scenarios."""
    seconds: dict[str, float] = {}
    for one in planned:
        clients = [client.name for client in _clients(one, arguments)]
        seconds[one.name] = estimate.scenario_seconds(one, clients, _rounds(one, arguments))
    if again:
        seconds["rescan"] = estimate.rescan_seconds(_rescan_files(arguments), _rescan_rounds(arguments))
    parts = ", ".join(f"{name} {known / 60:.1f}" for name, known in seconds.items())
    _tell(f"Estimated minutes on two quiet cores: {sum(seconds.values()) / 60:.0f} ({parts})")
    return seconds


def _large(arguments: argparse.Namespace, notes: list[str]) -> int:
    asked = (arguments.large_size // (16 if arguments.quick else 1)) * MIB
    fits = large_size(asked, LARGE_FILES, room_in_memory())
    if fits < asked:
        notes.append(
            f"Large files have {size_text(fits)} instead of {size_text(asked)}: there is no room in memory for more."
        )
        _tell(f"! {notes[-1]}")
    return fits


def _one(scenario: Scenario, arguments: argparse.Namespace) -> Measured:
    _tell(f"{scenario.title}")
    before = circumstances()
    runs = run_scenario(scenario, _clients(scenario, arguments), _rounds(scenario, arguments), _tell)
    return measured(scenario, runs, before)


def _rounds(scenario: Scenario, arguments: argparse.Namespace) -> int:
    return int(arguments.rounds or (1 if arguments.quick else scenario.rounds))


def _clients(scenario: Scenario, arguments: argparse.Namespace) -> Sequence[Client]:
    named = [one for one in scenario.clients if one.name in arguments.clients or not arguments.clients]
    variants = [variant.partition("=") for variant in arguments.variant]
    return [*named, *(bulkup.client(name, name, options.split()) for name, _, options in variants)]


def _again(arguments: argparse.Namespace) -> dict[str, Any]:
    files = _rescan_files(arguments)
    _tell(f"A second run over {files:,} files")
    before = circumstances()
    return {**rescanning.measure(files, _rescan_rounds(arguments), _tell), "circumstances": dataclasses.asdict(before)}


def _rescan_files(arguments: argparse.Namespace) -> int:
    return int(arguments.rescan_files // (20 if arguments.quick else 1))


def _rescan_rounds(arguments: argparse.Namespace) -> int:
    return int(arguments.rounds or (1 if arguments.quick else rescanning.ROUNDS))


def _earlier(arguments: argparse.Namespace) -> Results:
    if arguments.json and os.path.exists(arguments.json) and not arguments.new:
        return _read(arguments.json)
    return Results({})


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
