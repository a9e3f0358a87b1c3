"""Files that a bucket has already: which pages are listed, and what is answered."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkup.model.files import Digest
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.tickets import AlreadyThere, NeedsDigest
from bulkup.providers import FileSpec
from bulkup.providers.s3.calls import BucketEntry
from bulkup.providers.s3.existing_objects import ExistingObjects, before

MD5 = hashlib.md5(b"x", usedforsecurity=False).digest()


class Bucket:
    """A bucket with pages of a few keys."""

    def __init__(self, entries: dict[str, BucketEntry], page: int = 3) -> None:
        self.entries = sorted(entries.values(), key=lambda entry: entry.key.encode())
        self.page = page
        self.listed: list[str] = []

    async def objects(self, prefix: str, after: str, call: object) -> tuple[list[BucketEntry], bool]:
        self.listed.append(after)
        found = [e for e in self.entries if e.key.startswith(prefix) and e.key.encode() > after.encode()]
        return found[: self.page], len(found) > self.page


async def no_call(request: ApiRequest) -> ApiAnswer:
    raise AssertionError


def entry(key: str, size: int = 1, etag: str = MD5.hex()) -> BucketEntry:
    return BucketEntry(key, size, etag)


def spec(key: str, size: int = 1, digest: bytes | None = None) -> FileSpec:
    return FileSpec(key, key, "", size, None if digest is None else Digest(digest))


def existing(bucket: Bucket, prefix: str = "") -> ExistingObjects:
    return ExistingObjects(bucket, prefix)  # type: ignore[arg-type]  # a double with the one method that is used


async def test_a_file_is_hashed_and_then_left_out_without_another_page() -> None:
    bucket = Bucket({"a": entry("a")})
    here = existing(bucket)
    assert await here.answers({"a": spec("a")}, no_call) == {"a": NeedsDigest.YES}
    assert await here.answers({"a": spec("a", digest=MD5)}, no_call) == {"a": AlreadyThere("a", {"key": "a"})}
    assert len(bucket.listed) == 1


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (entry("a", size=2), spec("a")),
        (entry("a", etag=f"{MD5.hex()}-2"), spec("a")),
        (entry("a", etag=""), spec("a")),
        (entry("b"), spec("a")),
        (entry("a"), spec("a", digest=bytes(16))),
    ],
)
async def test_files_that_are_sent(there: BucketEntry, asked: FileSpec) -> None:
    assert await existing(Bucket({there.key: there})).answers({"a": asked}, no_call) == {}


KEYS = st.text(st.sampled_from("ab/ \x01\ud7ff\ue000\U0010ffffé~"), min_size=1, max_size=4)


@given(st.sets(KEYS, max_size=25), st.sets(KEYS, max_size=8), st.integers(1, 4))
async def test_every_object_is_found(there: set[str], wanted: set[str], page: int) -> None:
    bucket = Bucket({key: entry(key) for key in there}, page)
    answers = await existing(bucket).answers({key: spec(key) for key in wanted}, no_call)
    assert set(answers) == there & wanted
    assert len(bucket.listed) <= max(1, len(wanted)) + len(there)


async def test_pages_without_a_wanted_key_are_left_out() -> None:
    bucket = Bucket({f"{n:05}": entry(f"{n:05}") for n in range(3000)}, page=10)
    answers = await existing(bucket).answers({key: spec(key) for key in ("00007", "01500", "02999", "zz")}, no_call)
    assert set(answers) == {"00007", "01500", "02999"}
    assert len(bucket.listed) <= 4


@given(KEYS)
def test_before_a_key(key: str) -> None:
    assert before(key).encode() < key.encode()
