"""Whole runs with `checksum = "none"`, and runs whose large files are sent by `sendfile`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pydantic
import pytest
from pipeline_world import QUICK_RETRIES, World, interrupt_when, read_tree, world

from bulkup import FileState, UsageError
from bulkup.model.http import StorageAnswer
from bulkup.model.items import Ticketed
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Receipt
from bulkup.pipeline import Tunables
from bulkup.pipeline.files.large import FileBody
from bulkup.pipeline.files.opening import ReadingOptions
from bulkup.pipeline.send.attempt import Count, LocalSender
from bulkup.providers.xvid.adapter import Xvid
from bulkup.transport import Transport

LARGE = b"0123456789abcdef" * 100_000  # 1.5 MiB, more than is read whole

TUNABLES = Tunables(reading=ReadingOptions(range=len(LARGE)))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        running.tunables = TUNABLES
        yield running


@pytest.fixture
def lent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list that gets the paths of files that are sent by `sendfile`."""
    paths, real = list[bytes](), FileBody.ranges

    def ranges(self: FileBody) -> object:
        paths.append(self.file.path)
        return real(self)

    monkeypatch.setattr(FileBody, "ranges", ranges)
    return paths


def assert_unverified(place: World) -> None:
    """Check that every file of the source is stored, and recorded as unverified and without a digest."""
    rows = {row.path: row for row in place.manifest()}
    assert {path: place.stored(row) for path, row in rows.items()} == read_tree(place.source)
    assert {(row.status, row.md5) for row in rows.values()} == {(FileState.UNVERIFIED, None)}


@pytest.mark.parametrize("provider", ["magic-hour", "move-ugc", "xvid"])
async def test_files_are_unverified_without_a_checksum(tmp_path: Path, provider: str, lent: list[bytes]) -> None:
    """The next run skips them, with or without a checksum."""
    async with world(tmp_path, provider) as place:
        place.tunables = TUNABLES
        place.write_many(10)
        place.write({"large.mp4": LARGE})
        results, summary = await place.results(checksum="none")
        assert summary.exit_code == 0, summary.error
        assert (summary.counters.uploaded, summary.counters.unverified) == (11, 11)
        assert {result.md5 for result in results} == {None}
        assert_unverified(place)
        assert lent == ([] if provider == "xvid" else [b"large.mp4"])  # a form has more than the file in it
        for checksum in ("none", "md5"):
            summary = await place.run(checksum=checksum)
            assert summary.counters.skipped == 11
        assert place.puts == 11
        assert_unverified(place)


async def test_a_run_that_was_cut_off_is_resumed(here: World) -> None:
    """Recorded files are not sent again, and unused tickets are used."""
    here.write_many(40)
    await interrupt_when(here, lambda: here.puts >= 10, checksum="none", concurrency=2, batch_size=10)
    recorded = sum(row.status is FileState.UNVERIFIED for row in here.manifest())
    summary = await here.run(checksum="none")
    assert summary.exit_code == 0, summary.error
    assert summary.counters.skipped == recorded
    assert_unverified(here)
    assert here.lost_ids() <= 0


async def test_the_next_run_makes_a_missing_closing_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt without a digest counts: the bytes are not sent again."""
    confirm = Xvid.confirm

    async def fail(*_: Any, **__: Any) -> None:
        raise ProblemError(Problem(ProblemKind.TRANSIENT, "it does not answer"))

    async with world(tmp_path, "xvid", tunables=QUICK_RETRIES) as place:
        place.write_many(3)
        monkeypatch.setattr(Xvid, "confirm", fail)
        assert (await place.run(checksum="none", attempts=2)).exit_code != 0
        assert place.puts
        monkeypatch.setattr(Xvid, "confirm", confirm)
        summary = await place.run(checksum="none")
        assert summary.exit_code == 0, summary.error
        assert place.puts == 3
        assert_unverified(place)


async def test_after_a_chmod_only_a_file_with_a_digest_is_skipped(here: World) -> None:
    """It is hashed and compared; a file without a digest is sent again."""
    here.write_many(2)
    hashed, unhashed = sorted(read_tree(here.source))
    await here.run(exclude=(os.fsdecode(unhashed),))
    await here.run(checksum="none")
    for path in (hashed, unhashed):
        (here.source / os.fsdecode(path)).chmod(0o600)
    summary = await here.run(checksum="none")
    assert (summary.counters.skipped, summary.counters.uploaded) == (1, 1)
    assert here.states() == {hashed: FileState.UPLOADED, unhashed: FileState.UNVERIFIED}


async def test_a_file_that_changed_is_not_uploaded(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its identity is compared whether it is hashed or not."""
    here.write({"large.mp4": LARGE})
    real = LocalSender.send

    async def touch_and_send(self: LocalSender, file: Ticketed, count: Count) -> Receipt | Problem:
        os.utime(file.item.file.full_path, ns=(1, 1))
        return await real(self, file, count)

    monkeypatch.setattr(LocalSender, "send", touch_and_send)
    summary = await here.run(checksum="none")
    assert summary.exit_code == 3
    assert here.states() == {b"large.mp4": FileState.CHANGED}


async def test_a_service_that_needs_the_checksum_is_a_usage_error(tmp_path: Path) -> None:
    """Before the run begins."""
    async with world(tmp_path, "metastudio") as place:
        place.write_many(1)
        with pytest.raises(UsageError, match="metastudio needs a file's MD5"):
            await place.run(checksum="none")
        assert not place.journal.exists()


async def test_identity_content_needs_checksums(here: World) -> None:
    with pytest.raises(pydantic.ValidationError, match="identity is content"):
        await here.run(checksum="none", identity="content")


async def test_after_the_first_proof_large_files_are_sent_by_sendfile(here: World, lent: list[bytes]) -> None:
    """And verified like the first one."""
    here.write({f"{number}.mp4": LARGE + bytes([number]) for number in range(4)})
    summary = await here.run(concurrency=1)
    assert summary.exit_code == 0, summary.error
    here.assert_uploaded()
    assert len(lent) == 3


async def test_a_file_without_proof_is_streamed_again(
    here: World, lent: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is then unverified, and so are later files, which are streamed."""
    here.tunables = dataclasses.replace(here.tunables, retry=QUICK_RETRIES.retry)
    here.write({f"{number}.mp4": LARGE + bytes([number]) for number in range(4)})
    send, answers = Transport.send, 0

    async def silent_after_one(*args: Any, **options: Any) -> StorageAnswer:
        nonlocal answers
        answers += 1
        answer = await send(*args, **options)
        return answer if answers == 1 else StorageAnswer(answer.status, {}, b"")

    monkeypatch.setattr(Transport, "send", silent_after_one)
    summary = await here.run(concurrency=1)
    assert summary.exit_code == 0, summary.error
    assert (summary.counters.uploaded, summary.counters.unverified) == (4, 3)
    assert len(lent) == 1
    assert here.puts == 5
    assert {here.stored(row) for row in here.manifest()} == set(read_tree(here.source).values())
    assert None not in {row.md5 for row in here.manifest()}
