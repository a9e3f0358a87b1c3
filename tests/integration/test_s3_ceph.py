"""Uploads to Ceph's RADOS gateway, a store that is used in production: it checks signatures, times and MD5s."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipeline_world import read_tree
from store_runs import MIB, Store, check_refusals, check_uploads

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Ceph is for Linux")]
SCRIPT = Path(__file__).parents[1] / "tools/ceph.sh"
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a cluster. If Ceph is not installed, the tests fail instead of being skipped."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.fail(f"these tests need Ceph, see {SCRIPT.name}: {', '.join(missing)} not found")
    port, folder = _free_ports(), tmp_path_factory.mktemp("ceph") / "cluster"
    environ = {**os.environ, "RGW_PORT": str(port)}
    try:
        subprocess.run([SCRIPT, "start", folder], env=environ, check=True, timeout=240, stdin=subprocess.DEVNULL)
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([SCRIPT, "stop", folder], env=environ, check=True, timeout=60, stdin=subprocess.DEVNULL)


def _free_ports() -> int:
    """Return the first of three free ports."""
    for port in range(17480, 18000, 3):
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            try:
                for number, one in enumerate((first, second, third)):
                    one.bind(("127.0.0.1", port + number))
            except OSError:
                continue
            return port
    pytest.fail("no free ports")


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    here = Store(url, "CEPHACCESSKEY000001", "cephSecretKey0000000000001", tmp_path, f"bucket-{os.urandom(4).hex()}")
    here.client.create_bucket(Bucket=here.bucket)
    return here


async def test_uploads(store: Store) -> None:
    await check_uploads(store)


async def test_refusals(store: Store) -> None:
    await check_refusals(store)


async def test_a_wrong_key_ends_the_run(store: Store) -> None:
    store.write({f"{n}.bin": os.urandom(10) for n in range(20)})
    summary = await store.upload(secret_key="wrong")
    assert summary.counters.uploaded == 0
    assert "check secret_key and region" in str(summary.error)
    assert (await store.upload()).exit_code == 0


async def test_many_files_and_a_large_one(store: Store) -> None:
    store.write({f"d{n % 9}/{n}.bin": os.urandom(n) for n in range(300)})
    store.write({"large.bin": os.urandom(101 * MIB + 3)})
    summary = await store.upload()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 301, 0)
    listed = store.client.list_objects_v2(Bucket=store.bucket, Prefix="up/")["Contents"]
    sizes = {one["Key"].removeprefix("up/"): one["Size"] for one in listed}
    assert sizes == {os.fsdecode(path): len(data) for path, data in read_tree(store.folder / "source").items()}
