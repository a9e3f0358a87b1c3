"""A bare loop of the HTTP client, as a lower limit: it reads, hashes and PUTs each file, and nothing else.

python -m benchmarks.bare ROOT DIR TASKS
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time

import aiohttp


async def run(root: str, folder: str, tasks: int) -> float:
    """Return the seconds for all files of `folder`."""
    paths = iter([os.path.join(at, name) for at, _, names in os.walk(folder) for name in names])
    connector = aiohttp.TCPConnector(limit=tasks)
    async with aiohttp.ClientSession(connector=connector, skip_auto_headers=["Content-Type"]) as session:

        async def work() -> None:
            for path in paths:
                with open(path, "rb") as file:
                    data = file.read()
                digest = hashlib.md5(data).hexdigest()
                async with session.put(f"{root}/{os.path.basename(path)}", data=data) as answer:
                    await answer.read()
                    assert answer.headers["ETag"].strip('"') == digest

        started = time.perf_counter()
        await asyncio.gather(*[work() for _ in range(tasks)])
        return time.perf_counter() - started


if __name__ == "__main__":
    print(asyncio.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
