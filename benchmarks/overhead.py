"""Benchmarks of the pipeline: its time over a bare loop of the same client, its memory, and the costs of each service.

`python -m benchmarks pipeline` and `python -m benchmarks services`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
from collections.abc import Callable

import orjson

from benchmarks import services
from benchmarks.measure import Taken, run_bare, run_upload
from benchmarks.sink import sink
from benchmarks.trees import make_tree

KIB = 1024
CONCURRENCY = 64


def overhead(root: str, folder: str, rounds: int) -> dict[str, float]:
    """Upload 10,000 files of 10 KiB with a bare loop and with the pipeline, in turn."""
    tree = make_tree(os.path.join(folder, "small"), 10_000, 10 * KIB)
    bare: list[Taken] = []
    whole: list[Taken] = []
    for _ in range(rounds):
        bare.append(run_bare(root, tree, CONCURRENCY))
        whole.append(run_upload(root, tree, CONCURRENCY))
    bare_rate = 10_000 / statistics.median(taken.seconds for taken in bare)
    whole_rate = 10_000 / statistics.median(taken.seconds for taken in whole)
    calls = whole[-1].summary["presign"]["calls"]
    return {"bare": bare_rate, "pipeline": whole_rate, "ratio": whole_rate / bare_rate, "presign_calls": calls}


def memory(root: str, folder: str) -> dict[str, float]:
    """Compare the peak memory of 10,000 and of 100,000 files of 1 KiB."""
    few = run_upload(root, make_tree(os.path.join(folder, "few"), 10_000, KIB), 32).peak
    many = run_upload(root, make_tree(os.path.join(folder, "many"), 100_000, KIB), 32).peak
    return {"mib_10k": few, "mib_100k": many, "ratio": many / few}


def pipeline_main(arguments: list[str]) -> int:
    """Compare the pipeline with a bare loop, and measure its memory."""
    return _main("pipeline", _pipeline, arguments)


def services_main(arguments: list[str]) -> int:
    """Compare the services with each other."""
    return _main("services", _services, arguments)


def _main(part: str, measure: Callable[[str, int], dict[str, object]], given: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {part}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE")
    arguments = parser.parse_args(given)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, medians of {arguments.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(folder, arguments.rounds)
    if arguments.json:
        with open(arguments.json, "wb") as file:
            file.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    return 0


def _pipeline(folder: str, rounds: int) -> dict[str, object]:
    with sink() as root:
        speed, peak = overhead(root, folder, rounds), memory(root, folder)
    print("| 10,000 files of 10 KiB | files/s | ratio |")
    print("|---|---|---|")
    print(f"| bare loop (read, MD5, PUT; aiohttp, {CONCURRENCY} tasks) | {speed['bare']:,.0f} | 1.00 |")
    whole = f"`bulkup upload`, {speed['presign_calls']:,} presign calls"
    print(f"| {whole} | {speed['pipeline']:,.0f} | {speed['ratio']:.2f} |")
    print("\n| files of 1 KiB | peak memory | ratio |")
    print("|---|---|---|")
    print(f"| 10,000 | {peak['mib_10k']:.0f} MiB | 1.00 |")
    print(f"| 100,000 | {peak['mib_100k']:.0f} MiB | {peak['ratio']:.2f} |\n")
    return {"overhead": speed, "memory": peak}


def _services(folder: str, rounds: int) -> dict[str, object]:
    tree = make_tree(os.path.join(folder, "services"), 10_000, 10 * KIB)
    rates = services.rates(tree, folder, rounds)
    hashing, form = services.hashing_rate(tree), services.large_form(folder)
    first = rates[0][1]
    print("| 10,000 files of 10 KiB on the embedded server | files/s | ratio |")
    print("|---|---|---|")
    for name, rate in rates:
        print(f"| {name} | {rate:,.0f} | {rate / first:.2f} |")
    print(f"| hashing ahead by itself | {hashing:,.0f} | {hashing / first:.2f} |")
    print(f"\nPeak memory of a form POST of 4 GiB: {form:.0f} MiB")
    return {"services": dict(rates), "hashing": hashing, "form_mib": form}
