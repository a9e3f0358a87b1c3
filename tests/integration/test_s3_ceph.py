"""Uploads to Ceph's RADOS gateway, a store that is used in production: it checks signatures, times and MD5s."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ceph_world import ACCESS_KEY, SECRET_KEY, shared_cluster
from pipeline_world import read_tree
from store_runs import MIB, Store, WrongClock, check_refusals, check_uploads

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Ceph is for Linux")


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a cluster, or use that of another test process."""
    base = tmp_path_factory.getbasetemp()
    with shared_cluster((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ceph") as gateway:
        yield gateway


@pytest.fixture
def store(url: str, tmp_path: Path) -> Store:
    here = Store(url, ACCESS_KEY, SECRET_KEY, tmp_path, f"bucket-{os.urandom(4).hex()}")
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
    store.write({f"d{n % 9}/{n}.bin": os.urandom(n) for n in range(150)})
    store.write({"large.bin": os.urandom(41 * MIB + 3)})
    summary = await store.upload()
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 151, 0)
    listed = store.client.list_objects_v2(Bucket=store.bucket, Prefix="up/")["Contents"]
    sizes = {one["Key"].removeprefix("up/"): one["Size"] for one in listed}
    assert sizes == {os.fsdecode(path): len(data) for path, data in read_tree(store.folder / "source").items()}


async def test_checksums(store: Store) -> None:
    """Ceph 16 takes their headers and compares none, so ETags prove the files."""
    store.write({"a.bin": b"a", "large.bin": os.urandom(11 * MIB)})
    summary = await store.upload(checksum_algorithm="sha256")
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 2, 0)
    assert store.objects() == {"a.bin": b"a", "large.bin": (store.folder / "source/large.bin").read_bytes()}


@pytest.mark.parametrize("hours", [-2.0, 2.0])
async def test_a_wrong_clock_of_this_machine(store: Store, hours: float) -> None:
    """Ceph refuses signatures that are too old or too new, and the run goes by Ceph's clock from then on."""
    store.write({"a.bin": b"a", "b.bin": b"b", "large.bin": os.urandom(11 * MIB)})
    summary = await store.upload(WrongClock(hours))
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 3, 0), summary.error
    assert set(store.objects()) == {"a.bin", "b.bin", "large.bin"}
