"""The price of a message between coordinator and worker: `python -m benchmarks.cluster messages`.

A record waits for a call of an actor to return with it, and for the next call to bring the answer. So each call costs
the coordinator CPU time, however few records it carries. Workers are processes of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from typing import Any

from distributed import Client, LocalCluster

_SIZES = (100, 10_000, 100_000)


class Echo:
    """An actor whose method is a coroutine, as those of a worker's session are."""

    async def call(self, content: bytes) -> bytes:
        """Return the content."""
        return content


async def measure(workers: int, calls: int) -> list[tuple[int, float, float]]:
    """Return for each size of a message its bytes, the milliseconds of a call, and the CPU microseconds of the caller.

    Each worker gets one call after the other, `calls` of each size.
    """
    results = []
    here = {"host": "127.0.0.1", "dashboard_address": None, "asynchronous": True}
    local = LocalCluster(n_workers=workers, threads_per_worker=1, **here)
    async with local as cluster, _client(cluster.scheduler_address) as client:
        await client.wait_for_workers(workers)
        with client.as_current():
            actors = await asyncio.gather(*[_actor(client, number) for number in range(workers)])
            for size in _SIZES:
                content = os.urandom(size)
                started, used = time.perf_counter(), time.process_time()
                await asyncio.gather(*[_calls(actor, content, calls) for actor in actors])
                seconds, cpu = time.perf_counter() - started, time.process_time() - used
                results.append((size, seconds / calls * 1e3, cpu / calls / workers * 1e6))
    return results


def _client(address: str) -> Client:
    return Client(address, asynchronous=True, set_as_default=False)


async def _actor(client: Client, number: int) -> Any:
    return await client.submit(Echo, actor=True, key=f"echo-{number}", pure=False)


async def _calls(actor: Any, content: bytes, calls: int) -> None:
    for _ in range(calls):
        await actor.call(content)


def main(given: list[str]) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster messages", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--calls", type=int, default=500)
    arguments = parser.parse_args(given)
    print("| bytes there and back | ms a call | CPU us of the coordinator |\n|---|---|---|")
    for size, milliseconds, cpu in asyncio.run(measure(arguments.workers, arguments.calls)):
        print(f"| {size:,} | {milliseconds:.2f} | {cpu:.0f} |")
    return 0
