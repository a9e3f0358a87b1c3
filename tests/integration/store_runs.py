"""Uploads to a real S3 store, and what it has afterwards by botocore's client."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session
from pipeline_world import QUICK_RETRIES, read_tree

from bulkup import Settings, Summary, Uploader
from bulkup.api.unfinished import unfinished_uploads
from bulkup.helpers.clock import Clock, SystemClock
from bulkup.journal import Reader
from bulkup.model.journal_rows import ManifestRow, UnfinishedRow

MIB = 1024**2


class WrongClock(SystemClock):
    """A clock that is some hours ahead, or behind."""

    def __init__(self, hours: float) -> None:
        self.hours = hours

    def now(self) -> float:
        return super().now() + self.hours * 3600


@dataclass(frozen=True)
class Store:
    """A store that runs, with the keys of its user, and a bucket of its own for a test."""

    url: str
    access_key: str
    secret_key: str
    folder: Path
    bucket: str

    @property
    def client(self) -> Any:
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        config = Config(s3={"addressing_style": "path"}, proxies={})
        return Session().create_client("s3", endpoint_url=self.url, region_name="us-east-1", config=config, **keys)

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.folder / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def settings(self, **changes: Any) -> Settings:
        values: dict[str, Any] = {
            "provider": "s3",
            "base_url": self.url,
            "bucket": self.bucket,
            "key": "up/{path}",
            "source": (str(self.folder / "source"),),
            "journal": str(self.folder / "journal.sqlite3"),
            "access_key": self.access_key,
            "secret_key": self.secret_key,
            "processes": 1,
            "part_size": 5 * MIB,
            "multipart_from": 6 * MIB,
        }
        return Settings(**{**values, **changes})

    async def upload(self, clock: Clock | None = None, **changes: Any) -> Summary:
        given = self.settings(**changes)
        async with Uploader(given, environ={}, tunables=QUICK_RETRIES, clock=clock) as uploader:
            return await uploader.run()

    def objects(self) -> dict[str, bytes]:
        """Return the objects of the bucket below `up/`."""
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix="up/").get("Contents", [])
        return {
            one["Key"].removeprefix("up/"): self.client.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read()
            for one in listed
        }

    def manifest(self) -> list[ManifestRow]:
        with Reader(str(self.folder / "journal.sqlite3")) as reader:
            return list(reader.manifest())

    async def unfinished(self) -> list[UnfinishedRow]:
        return await unfinished_uploads(self.settings(), str(self.folder / "journal.sqlite3"), environ={})


async def check_uploads(store: Store) -> None:
    """Upload files of every kind with properties, change one, and compare what the store has."""
    store.write(
        {
            "a b/ü+%&=~.jpg": b"first",
            "empty.bin": b"",
            "whole.bin": os.urandom(2 * MIB),
            "large.bin": os.urandom(11 * MIB),
        }
    )
    summary = await store.upload(metadata={"project": "x7"}, tags={"a b": "c/d"}, acl="private")
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.unverified) == (0, 4, 0)
    tree = {os.fsdecode(path): data for path, data in read_tree(store.folder / "source").items()}
    assert store.objects() == tree
    found = store.client.head_object(Bucket=store.bucket, Key="up/a b/ü+%&=~.jpg")
    assert (found["ContentType"], found["Metadata"]) == ("image/jpeg", {"project": "x7"})
    assert found["ETag"].strip('"') == hashlib.md5(b"first", usedforsecurity=False).hexdigest()
    tags = store.client.get_object_tagging(Bucket=store.bucket, Key="up/a b/ü+%&=~.jpg")["TagSet"]
    assert tags == [{"Key": "a b", "Value": "c/d"}]
    assert await store.unfinished() == []
    store.write({"empty.bin": b"not any more"})
    again = await store.upload()
    assert (again.counters.uploaded, again.counters.skipped) == (1, 3)
    other = await store.upload(journal=str(store.folder / "other.sqlite3"), skip_existing=True)
    assert (other.exit_code, other.counters.already_there) == (0, 3)  # the large one has no MD5 there


async def check_refusals(store: Store) -> None:
    """Settings that do not fit the store end the run with the reason, and lose no file."""
    store.write({"a.bin": b"a", "b.bin": b"b"})
    summary = await store.upload(bucket="no-such-bucket")
    assert summary.counters.uploaded == 0
    said = " ".join([str(summary.error or ""), *(row.error or "" for row in store.manifest())])
    assert "NoSuchBucket" in said
    assert "check bucket, region, addressing and base_url" in said
    assert (await store.upload()).exit_code == 0
    assert set(store.objects()) == {"a.bin", "b.bin"}
