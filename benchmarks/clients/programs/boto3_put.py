"""Upload a folder with boto3: `python boto3_put.py STORE FOLDER THREADS`, with credentials in the environment."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config


def upload(endpoint: str, folder: str, threads: int) -> None:
    """Upload every file of the folder under its relative path, with the SDK's transfer manager."""
    config = Config(max_pool_connections=2 * threads, s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=endpoint, config=config)
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]

    def put(path: str) -> None:
        client.upload_file(path, "bench", os.path.relpath(path, folder))

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(put, paths):
            pass


if __name__ == "__main__":
    upload(sys.argv[1], sys.argv[2], int(sys.argv[3]))
