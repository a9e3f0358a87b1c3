"""The floor: a bare loop of the same HTTP client. It reads each file, makes its MD5 and PUTs it; nothing else.

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
    """Return how many seconds all files of `folder` took."""
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
