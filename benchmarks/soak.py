"""The soak test: `python -m benchmarks.soak` or `make soak`.

It uploads large trees to the embedded server while storage and API fail and URLs expire after 30 seconds. The uploader
is killed at random instants, and the server is restarted. Then every file is checked. The exit code is 1 if a file
was lost, recorded wrongly or twice, if a secret was printed, or if another figure misses its limit.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import signal
import sys
import tempfile
from typing import Any, NoReturn

import orjson

from benchmarks.soaking.accounts import PROVIDERS
from benchmarks.soaking.scenario import Figures, Scenario, carry_out
from benchmarks.soaking.verdict import Line, lines

FULL = (
    Scenario("kills", files=50_000, kills=200, restarts=10, share=0.2),
    Scenario("large", files=200_000, kills=0, restarts=0, share=0.2),
    Scenario("faults", files=20_000, kills=0, restarts=0, share=0.3, stops=False),
)
QUICK = (
    Scenario("kills", files=1_500, kills=8, restarts=1, share=0.2),
    Scenario("large", files=2_000, kills=0, restarts=0, share=0.2),
    Scenario("faults", files=1_000, kills=0, restarts=0, share=0.3, stops=False),
)


def main() -> int:
    """Run the scenarios, print their figures, and return the exit code."""
    arguments = _parser().parse_args()
    signal.signal(signal.SIGTERM, _leave)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n", flush=True)
    results: list[dict[str, Any]] = []
    good = True
    for scenario in _scenarios(arguments):
        with tempfile.TemporaryDirectory(prefix="bulkup-soak-", ignore_cleanup_errors=True) as folder:
            figures = carry_out(scenario, folder)
            judged = lines(scenario, figures)
            good = good and all(line.met is not False for line in judged)
            results.append({"scenario": scenario, "figures": figures, "lines": judged})
            # Show the figures before the folder is removed, which takes minutes on some disks.
            _show(scenario, figures, judged)
            _write(arguments.json, results)
    return 0 if good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[scenario.name for scenario in FULL], action="append", help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="small sizes, as a check of the harness")
    parser.add_argument("--files", type=int, help="files of each scenario")
    parser.add_argument(
        "--kills", type=int, help="kills of the uploader, in scenarios that have kills or are named by --only"
    )
    parser.add_argument("--restarts", type=int, help="restarts of the server, likewise")
    parser.add_argument("--share", type=float, help="share of the requests to storage, and to the API, that fail")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--provider", choices=PROVIDERS, default="magic-hour")
    parser.add_argument("--processes", type=int, help="processes that send files (default: as bulkup chooses)")
    parser.add_argument("--max-minutes", dest="minutes", type=float, default=90.0, help="for each scenario")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    return parser


def _scenarios(arguments: argparse.Namespace) -> list[Scenario]:
    chosen = [one for one in (QUICK if arguments.quick else FULL) if one.name in (arguments.only or [one.name])]
    return [_as_told(one, arguments) for one in chosen]


def _as_told(scenario: Scenario, arguments: argparse.Namespace) -> Scenario:
    disturbed = [name for name in ("kills", "restarts") if arguments.only or getattr(scenario, name)]
    names = ("files", "share", "seed", "provider", "minutes", "processes", *disturbed)
    given: dict[str, Any] = {name: getattr(arguments, name) for name in names}
    return dataclasses.replace(scenario, **{name: value for name, value in given.items() if value is not None})


def _leave(number: int, _frame: object) -> NoReturn:
    """Exit as after an exception, so that processes and the folder are removed."""
    sys.exit(128 + number)


def _write(path: str | None, results: list[dict[str, Any]]) -> None:
    if path is not None:
        with open(path, "wb") as file:
            file.write(orjson.dumps(results, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))


def _show(scenario: Scenario, figures: Figures, judged: list[Line]) -> None:
    print(f"| {scenario.name}: {scenario.files:,} files by `{scenario.provider}` | | asked |")
    print("|---|---|---|")
    for line in judged:
        print(f"| {line.name} | {line.value} | {'' if line.met is not False else 'NOT HELD: '}{line.limit} |")
    for example in (*figures.unexpected, *figures.findings.examples, *figures.secrets[:10]):
        print(f"! {example}")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
