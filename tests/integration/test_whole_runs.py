"""Whole runs without faults: the files that are uploaded, files that are skipped, and the figures."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from pipeline_world import TOKEN, World, read_tree, world
from structlog.testing import capture_logs

import bulkup
from bulkup import ExitCode, FileState, JournalLockedError, Result, UsageError
from bulkup.helpers.clock import SystemClock
from bulkup.journal import Reader
from bulkup.localserver import FaultOptions, ReadPace
from bulkup.model.log_events import LogEvent
from bulkup.pipeline import hasher
from bulkup.pipeline.files import digests
from bulkup.providers.magic_hour.adapter import MagicHour
from bulkup.transport import Transport

ODD_NAMES: dict[str | bytes, bytes] = {
    "with space.mp4": b"space",
    "#?%&+=;@$!'(),~.mp4": b"marks",
    "%2e%2e%2f.mp4": b"escapes",
    "Ünïcødé-文件-🎬.mp3": b"unicode",
    "e\u0301 decomposed.mp4": b"nfd",
    "\u00e9 decomposed.mp4": b"nfc",
    "new\nline\r\tand control\x1b[31m.mp4": b"control",
    '"quotes" \\ back$(slash)`.png': b"quotes",
    "x" * 251 + ".mp4": b"255 bytes",
    "-rf.mp4": b"dash",
    ".hidden.mp4": b"hidden",
    "UPPER.MP4": b"upper",
    "two.dots.mp4": b"dots",
    b"not \xff\xfe utf-8.mp4": b"bytes",
    b"deep/\xe9/er/and deeper/a.mov": b"folder that is not utf-8",
    "zero.wav": b"",
    "same/one.mp4": b"same content",
    "same/two.mp4": b"same content",
    "one.mp4": b"1",
    "exactly.mp4": b"m" * 1024**2,
    "over.mp4": b"m" * (1024**2 + 1),
    "large.mov": os.urandom(5 * 1024**2),
}
# Files that a service does not accept: those without an object key at xvid, and empty ones at metastudio.
NOT_FOR: dict[str, set[str | bytes]] = {
    "metastudio": {"zero.wav"},
    "xvid": {
        *("new\nline\r\tand control\x1b[31m.mp4", b"not \xff\xfe utf-8.mp4"),
        b"deep/\xe9/er/and deeper/a.mov",
    },
}


def odd_names(provider: str) -> dict[str | bytes, bytes]:
    """Return the odd files that a provider accepts."""
    return {name: data for name, data in ODD_NAMES.items() if name not in NOT_FOR.get(provider, ())}


@pytest.fixture(params=["magic-hour", "move-ugc", "metastudio", "xvid"])
async def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path, request.param) as running:
        yield running


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with world(tmp_path) as running:
        yield running


async def test_odd_names_and_sizes_are_byte_identical(any_world: World) -> None:
    """The store has exactly the bytes of each file, whatever its name and size."""
    files = odd_names(any_world.provider)
    any_world.write(files)
    summary = await any_world.run()
    assert (summary.exit_code, summary.counters.uploaded) == (0, len(files))
    assert summary.counters.unverified == 0
    assert summary.counters.bytes_uploaded == sum(len(data) for data in files.values())
    any_world.assert_uploaded()
    assert any_world.puts == len(files)


async def test_a_second_run_makes_no_request(any_world: World) -> None:
    """All files were uploaded by the first run."""
    files = odd_names(any_world.provider)
    any_world.write(files)
    await any_world.run()
    before = any_world.server.stats()
    summary = await any_world.run()
    assert any_world.server.stats() == before
    assert (summary.exit_code, summary.counters.skipped) == (0, len(files))
    assert summary.counters.bytes_sent == 0


async def test_only_new_and_changed_files_are_uploaded_again(any_world: World) -> None:
    """The manifest has their new remote ids."""
    any_world.write_many(20)
    await any_world.run()
    before = {row.path: row.remote_id for row in any_world.manifest()}
    any_world.write({"d0/0000.mp4": b"changed", "new.mp4": b"new"})
    summary = await any_world.run()
    assert (summary.counters.uploaded, summary.counters.skipped) == (2, 19)
    assert any_world.puts == 22
    any_world.assert_uploaded()
    after = {row.path: row.remote_id for row in any_world.manifest()}
    assert {path for path in after if after[path] != before.get(path)} == {b"d0/0000.mp4", b"new.mp4"}


def _chmod(path: Path) -> None:
    path.chmod(0o600)


def _new_inode(path: Path) -> None:
    stat, copy = path.stat(), path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    copy.rename(path)


@pytest.mark.parametrize("touch", [_chmod, _new_inode])
@pytest.mark.parametrize(("mode", "sent"), [("default", 0), ("content", 0), ("strict", 1)])
async def test_changed_metadata_alone(here: World, touch: Any, mode: str, sent: int) -> None:
    """By default the content decides, and `identity = "strict"` uploads the file again."""
    here.write_many(5)
    await here.run()
    touch(here.source / "d0" / "0000.mp4")
    for expected in (sent, 0):
        puts = here.puts
        summary = await here.run(identity=mode)
        assert (summary.exit_code, here.puts - puts) == (0, expected)
        assert (summary.counters.uploaded, summary.counters.skipped) == (expected, 5 - expected)
    here.assert_uploaded()


async def test_a_file_with_new_metadata_is_read_once(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row gets the new metadata."""
    here.write_many(3)
    await here.run()
    _chmod(here.source / "d0" / "0000.mp4")
    await here.run()

    def refuse(*_: Any) -> None:
        raise AssertionError("a file was read again")

    monkeypatch.setattr("bulkup.pipeline.hasher.digests_of", refuse)
    assert (await here.run()).counters.skipped == 3


@pytest.mark.parametrize(("mode", "sent"), [("default", 0), ("content", 1)])
async def test_changed_content_with_equal_metadata(here: World, mode: str, sent: int) -> None:
    """`content` finds the change; `default` trusts a row with the same metadata.

    The ctime cannot be set back, so the test writes the new ctime into the row.
    """
    here.write({"a.mp4": b"before", "b.mp4": b"other"})
    await here.run()
    path = here.source / "a.mp4"
    stat = path.stat()
    path.write_bytes(b"after!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with contextlib.closing(sqlite3.connect(here.journal, isolation_level=None)) as journal:
        journal.execute("UPDATE files SET ctime_ns = ? WHERE path = ?", (path.stat().st_ctime_ns, b"a.mp4"))
    summary = await here.run(identity=mode)
    assert (summary.exit_code, summary.counters.uploaded) == (0, sent)
    assert here.puts == 2 + sent


async def test_new_content_is_found_by_its_ctime(here: World) -> None:
    """Size and modification time are equal."""
    here.write({"a.mp4": b"before"})
    await here.run()
    path = here.source / "a.mp4"
    stat = path.stat()
    path.write_bytes(b"after!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    summary = await here.run()
    assert (summary.exit_code, summary.counters.uploaded) == (0, 1)
    here.assert_uploaded()


async def test_a_stopped_check_leaves_files_uploaded(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were not compared before the stop stay uploaded, and the next run sends none of them."""
    here.write_many(60, size=100_000)  # so that they are not looked at in one group
    await here.run()
    for path in here.source.rglob("*.mp4"):
        path.chmod(0o600)
    async with here.uploader() as uploader:
        uploader.stop()
        await uploader.run()

    async def stopping(*args: Any, **options: Any) -> Any:
        result = await digests.digests_of(*args, **options)
        uploader.stop()  # after one group; another one is being read, four have not begun
        return result

    with monkeypatch.context() as patch:
        patch.setattr(hasher, "digests_of", stopping)
        async with here.uploader() as uploader:
            await uploader.run()
    assert uploader.summary.counters.remaining
    assert set(here.states().values()) == {FileState.UPLOADED}
    summary = await here.run()
    assert (summary.exit_code, summary.counters.skipped, here.puts) == (0, 60, 60)


class WrongClock(SystemClock):
    """A clock ten minutes ahead of the service's."""

    def now(self) -> float:
        return super().now() + 600


async def test_a_wrong_clock_is_reported_once_and_does_no_harm(here: World) -> None:
    """The lifetime of URLs is measured by the service's clock."""
    here.clock = WrongClock()
    here.write_many(10)
    with capture_logs() as logs:
        summary = await here.run(batch_size=2)
    assert (summary.exit_code, summary.counters.presign_renewed) == (0, 0)
    assert [entry["difference"] for entry in logs if entry["event"] == LogEvent.CLOCK_WRONG] == ["10 min ahead of"]


@pytest.mark.parametrize(("count", "batch"), [(1, 100), (100, 100), (101, 100), (250, 100), (30, 7), (5, 1)])
async def test_presign_calls_are_full_groups(here: World, count: int, batch: int) -> None:
    """A fast scan makes the least number of calls."""
    here.write_many(count)
    summary = await here.run(batch_size=batch)
    calls = -(-count // batch)
    assert (summary.counters.presign_calls, summary.counters.presign_files) == (calls, count)
    assert here.server.stats()["presign_calls"] == calls
    assert here.server.stats()["tickets"] == count


async def test_a_run_with_the_smallest_sizes(any_world: World) -> None:
    """One worker, groups of one file, and one call at a time."""
    any_world.write_many(25)
    summary = await any_world.run(concurrency=1, batch_size=1, calls_in_flight=1)
    assert (summary.exit_code, summary.counters.presign_calls) == (0, 25)
    any_world.assert_uploaded()


@pytest.mark.parametrize(("allowed", "batch"), [(1, 5), (3, 5)])
async def test_calls_in_flight_is_the_maximum_of_presign_calls(
    here: World, monkeypatch: pytest.MonkeyPatch, allowed: int, batch: int
) -> None:
    """The maximum is reached and never exceeded."""
    here.write_many(60)
    under_way = most = 0
    presign = MagicHour.presign

    async def counted(*args: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await anyio.sleep(0.02)
        try:
            return await presign(*args)
        finally:
            under_way -= 1

    monkeypatch.setattr(MagicHour, "presign", counted)
    summary = await here.run(calls_in_flight=allowed, batch_size=batch)
    assert (summary.exit_code, most) == (0, allowed)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_concurrency_is_the_maximum_of_uploads(
    here: World, monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    """The maximum is reached and never exceeded."""
    here.write_many(20)
    sending = most = 0
    send = Transport.send

    async def counted(*args: Any) -> Any:
        nonlocal sending, most
        sending += 1
        most = max(most, sending)
        await anyio.sleep(0.01)
        try:
            return await send(*args)
        finally:
            sending -= 1

    monkeypatch.setattr(Transport, "send", counted)
    summary = await here.run(concurrency=concurrency)
    assert (summary.exit_code, most) == (0, concurrency)


async def test_an_empty_directory_needs_no_call(here: World) -> None:
    """A source that never had a file is a success."""
    summary = await here.run()
    assert (summary.exit_code, summary.counters.found, here.calls) == (0, 0, 0)


async def test_an_empty_source_that_had_files_ends_with_exit_code_3(here: World) -> None:
    """A mount may be missing. With `allow_empty` the exit code is 0."""
    here.write({"a.mp4": b"a", "sub/b.mp4": b"b"})
    await here.run()
    (here.source / "a.mp4").unlink()
    (here.source / "sub" / "b.mp4").unlink()
    (here.source / "sub").rmdir()
    summary = await here.run()
    assert (summary.exit_code, len(summary.lost_sources)) == (3, 1)
    assert summary.as_dict()["empty_sources"] == 1
    assert set(here.states().values()) == {FileState.UPLOADED}
    assert (await here.run(allow_empty=True)).exit_code == 0
    here.write({"c.mp4": b"c"})
    assert (await here.run()).exit_code == 0


async def test_an_empty_list_of_files_ends_with_exit_code_0(here: World) -> None:
    """It says nothing about the source."""
    here.write({"a.mp4": b"a"})
    await here.run()
    names = here.folder / "names"
    names.write_bytes(b"")
    assert (await here.run(files_from=str(names))).exit_code == 0


async def test_unsupported_extensions_are_rejected_or_skipped(here: World) -> None:
    """The setting `unsupported` decides."""
    here.write({"a.mp4": b"a", ".DS_Store": b"x", "notes.txt": b"x"})
    summary = await here.run()
    assert (summary.exit_code, summary.counters.rejected, summary.counters.uploaded) == (3, 2, 1)
    assert {p: s for p, s in here.states().items() if p != b"a.mp4"} == {
        b".DS_Store": FileState.REJECTED,
        b"notes.txt": FileState.REJECTED,
    }
    summary = await here.run(unsupported="skip")
    assert (summary.exit_code, summary.counters.rejected, summary.counters.skipped) == (0, 0, 3)
    assert here.puts == 1


async def test_the_setting_extensions_against_a_strict_list(tmp_path: Path) -> None:
    """A type that the service knows is uploaded, one that it refuses is rejected with its reason."""
    async with world(tmp_path, magic_hour_extensions="api-reference") as place:
        place.write({"a.mp4": b"video", "b.mpeg": b"audio", "c.webm": b"sound", "d.m4a": b"left out"})
        extensions = {"mpeg": "audio", "webm": "audio", "m4a": "none"}
        summary = await place.run(extensions=extensions)
        assert (summary.exit_code, summary.counters.uploaded, summary.counters.rejected) == (3, 2, 2)
        place.assert_uploaded(b"b.mpeg", b"d.m4a")
        reasons = {row.path: row.error or "" for row in place.manifest() if row.status is FileState.REJECTED}
        assert "'mpeg' is an invalid audio extension" in reasons[b"b.mpeg"]
        assert "does not accept the extension 'm4a'" in reasons[b"d.m4a"]


async def test_a_file_in_several_sources_is_sent_once(here: World) -> None:
    """The sources are a directory, a directory inside it, and one of its files."""
    here.write({"a.mp4": b"a", "sub/b.mp4": b"b", "sub/c.mp4": b"c"})
    sources = (str(here.source), str(here.source / "sub"), str(here.source / "a.mp4"))
    summary = await here.run(source=sources)
    assert (summary.exit_code, summary.counters.found, here.puts) == (0, 3, 3)
    assert (await here.run()).counters.skipped == 3
    assert (await here.run(source=sources)).counters.skipped == 3
    assert here.puts == 3


async def test_a_single_file_is_the_same_file_in_its_directory(here: World) -> None:
    """It has the same row."""
    here.write({"a.mp4": b"a", "b.mp4": b"b"})
    assert (await here.run(source=(str(here.source / "a.mp4"),))).counters.uploaded == 1
    summary = await here.run()
    assert (summary.counters.uploaded, summary.counters.skipped) == (1, 1)
    here.assert_uploaded()


async def test_results_yield_every_file_once(here: World) -> None:
    """Each result has the values of the manifest."""
    here.write_many(120)
    here.write({"no.txt": b"x"})
    results, summary = await here.results()
    assert summary.exit_code == 3
    assert sorted(result.path for result in results) == sorted(read_tree(here.source))
    manifest = {row.path: (row.status, row.md5, row.remote_id, row.size) for row in here.manifest()}
    assert {r.path: (r.status, r.md5, r.remote_id, r.size) for r in results} == manifest
    again, _ = await here.results()
    assert [result.path for result in again] == [b"no.txt"]


async def test_a_slow_receiver_gets_every_result(here: World) -> None:
    """The end of the run waits for it."""
    here.write_many(40)
    seen: list[Result] = []

    async def slowly(group: Any) -> None:
        await anyio.sleep(0.02)
        seen.extend(group)

    async with here.uploader(concurrency=4, batch_size=10) as uploader:
        summary = await uploader.run(slowly)
    assert (summary.counters.uploaded, len(seen)) == (40, 40)


async def test_a_stuck_reader_stops_the_run(here: World) -> None:
    """While it takes no results, at most the in-flight budget of files is between scan and result."""
    here.write_many(400)
    gate = anyio.Event()

    async def stuck(_: Any) -> None:
        await gate.wait()

    sizes = {"concurrency": 2, "batch_size": 10, "calls_in_flight": 1}
    async with here.uploader(**sizes) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run, stuck)
        found = -1
        while found != uploader.gauge.counters.found or not found:
            found = uploader.gauge.counters.found
            await anyio.sleep(0.2)
        assert 0 < sum(uploader.gauge.depths().values()) <= 10 * 2 + 2 * 2
        assert here.puts <= 10 * 2 + 2 * 2
        gate.set()
    assert uploader.summary.counters.uploaded == 400
    here.assert_uploaded()


async def test_a_stopped_run_finishes_the_files_in_flight(here: World) -> None:
    """It exits with 130 and counts the remaining files. The next run sends exactly those."""
    here.write_many(200)
    async with here.uploader(concurrency=4, batch_size=20) as uploader:
        async for _ in uploader.results():
            uploader.stop()
    summary = uploader.summary
    assert summary.exit_code == ExitCode.SIGINT
    assert summary.counters.remaining
    assert summary.counters.found == summary.counters.settled + summary.counters.remaining
    assert here.puts == summary.counters.uploaded
    last = await here.run()
    assert (last.exit_code, here.puts) == (0, 200)
    assert last.counters.reused_tickets
    here.assert_uploaded()


async def test_a_run_stopped_before_its_start_ends_at_once(here: World) -> None:
    here.write_many(10)
    async with here.uploader() as uploader:
        uploader.stop(ExitCode.SIGTERM)
        summary = await uploader.run()
    assert (summary.exit_code, here.puts) == (ExitCode.SIGTERM, 0)


async def test_grace_limits_the_time_of_files_in_flight(here: World) -> None:
    """Files that do not end in time are given back, and the next run uploads them."""
    here.faults("slow-body", options=FaultOptions(slow_pace=ReadPace(4096, 0.05)))
    here.write({"slow.mov": os.urandom(100_000)})
    async with here.uploader(grace=0.2) as uploader, anyio.create_task_group() as tasks:
        tasks.start_soon(uploader.run)
        while not uploader.gauge.depths()["sending"]:
            await anyio.sleep(0.01)
        uploader.stop()
    assert (uploader.summary.exit_code, uploader.summary.counters.remaining) == (130, 1)
    here.faults()
    assert (await here.run()).exit_code == 0
    here.assert_uploaded()


async def test_two_runs_on_one_journal(here: World) -> None:
    """The second run is refused and changes nothing. With `wait` it starts after the first."""
    here.write_many(10)
    ended: list[str] = []

    async def second() -> None:
        summary = await here.run(wait=True)
        assert (ended, summary.counters.skipped) == (["first"], 10)

    async with anyio.create_task_group() as tasks, here.uploader() as first:
        with pytest.raises(JournalLockedError):
            await here.run()
        tasks.start_soon(second)
        await anyio.sleep(0.1)
        await first.run()
        ended.append("first")
    assert here.puts == 10


async def test_wrong_settings_start_nothing(here: World) -> None:
    """A missing source, a missing token or a group that is too large is an error, and no journal is made."""
    here.write_many(1)
    for changes in ({"source": (str(here.folder / "none"),)}, {"token": None}, {"batch_size": 5000}):
        with pytest.raises(UsageError):
            await here.run(**changes)
    assert not here.journal.exists()
    assert here.calls == 0


async def test_upload_makes_a_whole_run(here: World) -> None:
    """It takes sources and settings by name."""
    here.write({"a.mp4": b"a"})
    summary = await bulkup.upload(
        str(here.source),
        provider="magic-hour",
        base_url=here.server.url,
        token=TOKEN,
        environ={},
        journal=str(here.journal),
    )
    assert (summary.exit_code, summary.as_dict()["files"]["uploaded"]) == (0, 1)
    here.assert_uploaded()


async def test_a_rotated_key_is_the_same_destination(here: World) -> None:
    """No file is uploaded again. Another `destination` uploads all files."""
    here.write_many(3)
    await here.run()
    here.server.set_credentials(token="rotated-token")
    assert (await here.run(token="rotated-token")).counters.skipped == 3
    summary = await here.run(token="rotated-token", destination="other")
    assert (summary.counters.uploaded, here.puts) == (3, 6)


async def test_magic_hour_uploads_are_kept_for_a_week(here: World) -> None:
    """The manifest says until when the service keeps an upload."""
    here.write({"a.mp4": b"a"})
    await here.run()
    (row,) = here.manifest()
    assert row.uploaded_at is not None
    assert row.kept_until == row.uploaded_at + 7 * 86400


async def test_kept_until_is_a_time_of_the_services_clock(here: World) -> None:
    """A clock of this machine that is wrong does not change it, nor the decision to send a file again."""
    here.clock = WrongClock()
    here.write({"a.mp4": b"a"})
    await here.run()
    (row,) = here.manifest()
    assert row.uploaded_at is not None
    assert row.kept_until == pytest.approx(row.uploaded_at + 7 * 86400 - 600, abs=5)


async def test_an_expiry_is_stated_by_the_services_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A duration counts from the start of the session, which the service times."""
    calls, call = list[str](), Transport.call

    async def recording(self: Transport, base_url: str, request: Any) -> Any:
        calls.append(request.path)
        return await call(self, base_url, request)

    monkeypatch.setattr(Transport, "call", recording)
    async with world(tmp_path, "xvid") as place:
        place.clock = WrongClock()
        place.write_many(3)
        await place.run(expires_at="1h", calls_in_flight=1)
        told = [int(path.partition("expires_at=")[2]) for path in calls if "expires_at=" in path]
        # The first call is made before any answer has shown the service's time.
        assert [round((place.clock.now() - time - 600 + 3600) / 10) for time in told] == [-60, 0, 0]
        kept = [row.kept_until for row in place.manifest()]
        assert kept == [pytest.approx(place.clock.now() - 600 + 3600, abs=10)] * 3


async def test_the_local_provider_runs_its_own_server(tmp_path: Path) -> None:
    """It accepts any file, ends with the run, and a second run sends nothing."""
    source, store = tmp_path / "source", tmp_path / "store"
    source.mkdir()
    files = {b"no extension": b"x", b"archive.tar.gz": b"y" * 70_000, b"odd.\xff": b"z", b"a b/#?.X": b""}
    for name, data in files.items():
        path = os.path.join(os.fsencode(source), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    journal = str(tmp_path / "state" / "journal.sqlite3")
    for uploaded, skipped in ((4, 0), (0, 4)):
        summary = await bulkup.upload(str(source), provider="local", store=str(store), journal=journal, environ={})
        assert (summary.exit_code, summary.counters.uploaded, summary.counters.skipped) == (0, uploaded, skipped)
    with Reader(journal) as reader:
        for row in reader.manifest():
            assert (store / "objects" / (row.remote_id or "")).read_bytes() == files[row.path]
