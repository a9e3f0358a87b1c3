"""Upload a directory to an embedded server, in one call."""

import asyncio
import sys

from bulkup import upload


async def main(source: str, store: str) -> int:
    summary = await upload(source, provider="local", store=store, min_age="0s")
    if summary.exit_code != 0:
        print(summary.error or summary.as_dict()["files"])
    return summary.exit_code


sys.exit(asyncio.run(main(*sys.argv[1:])))
