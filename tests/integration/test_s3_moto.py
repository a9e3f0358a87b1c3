"""Uploads to moto's S3, which checks parts, conditions, checksums and the form of requests. It checks no signature."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_runs import MIB, Store, check_refusals, check_uploads


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the server in a process of its own, because its modules replace parts of botocore."""
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            yield _url(log, server)
        finally:
            server.terminate()


def _url(log: Path, server: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found is not None:
            return found[0]
        time.sleep(0.05)
    pytest.fail(f"moto did not start; it is in the extra `test`: {log.read_text()[-2000:]}")


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    here = Store(url, "AKIAMOTO", "moto", tmp_path, f"bucket-{os.urandom(4).hex()}")
    here.client.create_bucket(Bucket=here.bucket)
    return here


async def test_uploads(store: Store) -> None:
    await check_uploads(store)


async def test_refusals(store: Store) -> None:
    await check_refusals(store)


async def test_an_object_that_exists_is_not_replaced(store: Store) -> None:
    store.write({"a.bin": b"old"})
    assert (await store.upload(if_none_match=True)).exit_code == 0
    store.write({"a.bin": b"new"})
    summary = await store.upload(if_none_match=True)
    assert (summary.exit_code, summary.counters.failed) == (1, 1)
    assert store.objects() == {"a.bin": b"old"}
    (row,) = store.manifest()
    assert "an object with this key exists" in (row.error or "")


@pytest.mark.parametrize("algorithm", ["sha256", "crc32c", "crc64nvme"])
async def test_checksums(store: Store, algorithm: str) -> None:
    """The store takes the header, and the ETag proves the bytes. moto does not compare the checksum."""
    store.write({"a.bin": b"a" * 1000})
    summary = await store.upload(checksum_algorithm=algorithm)
    assert (summary.exit_code, summary.counters.unverified) == (0, 0)


async def test_checksums_of_parts(store: Store) -> None:
    """moto makes the checksum of the object from those of the parts. Of CRC-32C it knows no more than the name."""
    data = os.urandom(11 * MIB)
    store.write({"a.bin": data})
    summary = await store.upload(checksum_algorithm="sha256")
    assert (summary.exit_code, summary.counters.unverified) == (0, 0), summary.error
    joined = b"".join(hashlib.sha256(data[start : start + 5 * MIB]).digest() for start in range(0, len(data), 5 * MIB))
    kept = store.client.get_object_attributes(Bucket=store.bucket, Key="up/a.bin", ObjectAttributes=["Checksum"])
    expected = base64.b64encode(hashlib.sha256(joined).digest()).decode()
    assert kept["Checksum"] == {"ChecksumSHA256": expected, "ChecksumType": "COMPOSITE"}
