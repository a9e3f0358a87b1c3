"""Show the progress of a run, once a second and at the end."""

import asyncio
import sys

from bulkup import Progress, upload


async def show(now: Progress) -> None:
    least = "" if now.total_known else "at least "
    print(f"{now.files_done} of {least}{now.files_total} files, {now.bytes_per_second / 1e6:.1f} MB/s")


async def main(source: str, store: str) -> int:
    summary = await upload(source, provider="local", store=store, on_progress=show)
    return summary.exit_code


sys.exit(asyncio.run(main(*sys.argv[1:])))
