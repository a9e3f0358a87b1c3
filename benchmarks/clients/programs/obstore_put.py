"""Upload a folder with obstore: `python obstore_put.py STORE FOLDER IN_FLIGHT`, with credentials in the environment.

Bodies are not hashed for the signature, which is the fastest way that S3 stores accept.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import obstore
from obstore.store import S3Store


async def upload(endpoint: str, folder: str, in_flight: int) -> None:
    """Upload every file of the folder under its relative path, `in_flight` at a time."""
    store = S3Store("bench", endpoint=endpoint, unsigned_payload=True, client_options={"allow_http": True})
    paths = iter([os.path.join(at, name) for at, _, names in os.walk(folder) for name in names])

    async def work() -> None:
        for path in paths:
            await obstore.put_async(store, os.path.relpath(path, folder), Path(path))

    await asyncio.gather(*[work() for _ in range(in_flight)])


if __name__ == "__main__":
    asyncio.run(upload(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    os._exit(0)  # at a normal exit the library's threads sometimes abort the interpreter
