"""Handle each file when it is settled."""

import asyncio
import os
import sys

from bulkup import Settings, Uploader


async def main(source: str, store: str) -> int:
    settings = Settings(source=(source,), provider="local", store=store)
    async with Uploader(settings) as uploader:
        async for result in uploader.results():
            if result.error:
                print(os.fsdecode(result.path), result.status, result.error)
            else:
                print(os.fsdecode(result.path), result.remote_id)
    return uploader.summary.exit_code


sys.exit(asyncio.run(main(*sys.argv[1:])))
