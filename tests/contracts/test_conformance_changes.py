"""Files that change or vanish during a run of every provider, and the effect of `on_change`.

Only recorded bytes are stored, and every id is accounted for.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from conformance_world import EVERY, conformance, tree
from pipeline_world import World

from bulkup import ExitCode, FileState
from bulkup.model.bodies import Body
from bulkup.model.tickets import Ticket
from bulkup.pipeline import RetryPolicy, Tunables
from bulkup.pipeline.files.digests import digests_of
from bulkup.providers import PROVIDER_CLASSES, FileSpec
from bulkup.transport import Transport

TARGET = "d0/000.mp4"
KEY = TARGET.encode()
HASHING = ("metastudio",)  # checksums first


@pytest.fixture(params=EVERY)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        running.write(tree(6))
        yield running


magic_hour = pytest.mark.parametrize("place", ["magic-hour"], indirect=True)


def after_presign(monkeypatch: pytest.MonkeyPatch, place: World, act: Callable[[], object], times: int = 1) -> None:
    """Call `act` after the target got a ticket and before it is read, at most `times` times."""
    kind: Any = PROVIDER_CLASSES[place.adapter]
    presign, left = kind.presign, times

    async def acting(self: Any, specs: Sequence[FileSpec], *values: Any) -> Any:
        nonlocal left
        answers = await presign(self, specs, *values)
        if left and any(spec.path == TARGET for spec in specs):
            left -= 1
            act()
        return answers

    monkeypatch.setattr(kind, "presign", acting)


def rewrite(place: World) -> None:
    place.write({TARGET: os.urandom(5000)})


def grow(place: World) -> None:
    with (place.source / TARGET).open("ab") as file:
        file.write(b"one more line\n")


async def test_a_changed_file_is_sent_with_a_new_ticket(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `retry`, the new bytes are sent with a ticket of their own, and the old id is an orphan."""
    after_presign(monkeypatch, place, lambda: rewrite(place))
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.retries) == (0, 6, 1)
    place.assert_uploaded()
    assert [orphan.path for orphan in place.orphans()] == place.orphaned([KEY])
    assert place.lost_ids() == 0
    assert summary.counters.bytes_found == summary.counters.bytes_uploaded


async def test_a_file_that_keeps_changing_is_left_to_the_next_run(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few attempts; other files are uploaded."""
    after_presign(monkeypatch, place, lambda: grow(place), times=99)
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 1, 5)
    assert summary.counters.retries == 3
    assert place.states()[KEY] is FileState.CHANGED
    assert [orphan.path for orphan in place.orphans()] == place.orphaned([KEY] * 4)
    assert place.lost_ids() == 0
    monkeypatch.undo()
    place.assert_uploaded(KEY)


@pytest.mark.parametrize(
    ("policy", "code", "state"), [("skip", 3, FileState.CHANGED), ("fail", 1, FileState.FAILED)], ids=["skip", "fail"]
)
async def test_a_changed_file_is_not_retried_by_other_policies(
    place: World, monkeypatch: pytest.MonkeyPatch, policy: str, code: int, state: FileState
) -> None:
    """It is `changed` or `failed`, and the next run uploads it."""
    with monkeypatch.context() as patch:
        after_presign(patch, place, lambda: rewrite(place))
        summary = await place.run(on_change=policy)
    assert (summary.exit_code, place.states()[KEY], summary.counters.retries) == (code, state, 0)
    assert (await place.run(on_change=policy)).exit_code == 0
    place.assert_uploaded()
    assert place.lost_ids() == 0


@magic_hour
@pytest.mark.parametrize(("policy", "code"), [("retry", 3), ("skip", 3), ("fail", 1)])
async def test_a_vanished_file_is_not_retried(
    place: World, monkeypatch: pytest.MonkeyPatch, policy: str, code: int
) -> None:
    """A file that reappears is uploaded."""
    after_presign(monkeypatch, place, (place.source / TARGET).unlink)
    summary = await place.run(on_change=policy)
    assert (summary.exit_code, summary.counters.uploaded) == (code, 5)
    assert (summary.counters.changed, summary.counters.failed) == ((1, 0) if code == 3 else (0, 1))
    assert place.lost_ids() == 0


@magic_hour
async def test_a_file_that_is_replaced_by_a_rename(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As editors do; the new file is uploaded."""

    def replace() -> None:
        place.write({"new": b"from another file"})
        (place.source / "new").rename(place.source / TARGET)

    after_presign(monkeypatch, place, replace)
    assert (await place.run(on_change="retry")).exit_code == 0
    place.assert_uploaded()


@magic_hour
async def test_a_file_that_changes_while_it_is_streamed(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storage has half of the old bytes; the new bytes are recorded, completely."""
    place.write({"large.mov": os.urandom(5 * 1024**2)})
    send, changed = Transport.send, False

    async def sent(self: Transport, ticket: Ticket, body: Body, headers: Any, on_bytes: Callable[[int], None]) -> Any:
        def progressed(count: int) -> None:
            nonlocal changed
            if not changed and body.size > 1024**2:
                changed = True
                os.utime(place.source / "large.mov")
            on_bytes(count)

        return await send(self, ticket, body, headers, progressed)

    monkeypatch.setattr(Transport, "send", sent)
    summary = await place.run(on_change="retry", concurrency=1)
    assert (summary.exit_code, summary.counters.retries, changed) == (0, 1, True)
    place.assert_uploaded()


@pytest.mark.parametrize("place", HASHING, indirect=True)
async def test_a_file_that_changes_before_it_is_hashed(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no ticket yet, so it is hashed again and no id is lost."""
    changed = False

    async def late(*values: Any, **named: Any) -> Any:
        nonlocal changed
        if not changed:
            changed = True
            rewrite(place)
        return await digests_of(*values, **named)

    monkeypatch.setattr("bulkup.pipeline.hasher.digests_of", late)
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.retries) == (0, 1)
    place.assert_uploaded()
    assert place.orphans() == []


@magic_hour
@pytest.mark.parametrize("content", [True, False], ids=["other bytes", "the same bytes"])
async def test_an_uploaded_file_that_changes_during_hashing(
    place: World, monkeypatch: pytest.MonkeyPatch, content: bool
) -> None:
    """It is sent only if its bytes differ in the end."""
    await place.run()
    (place.source / TARGET).chmod(0o600)
    changed = False

    async def late(*values: Any, **named: Any) -> Any:
        nonlocal changed
        if not changed:
            changed = True
            rewrite(place) if content else os.utime(place.source / TARGET)
        return await digests_of(*values, **named)

    monkeypatch.setattr("bulkup.pipeline.hasher.digests_of", late)
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.retries, place.puts) == (0, 1, 7 if content else 6)
    place.assert_uploaded()
    assert (await place.run()).counters.skipped == 6


@magic_hour
async def test_an_uploaded_file_that_keeps_changing(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal does not keep a ticket for bytes that no longer exist."""
    await place.run()
    change_behind_size_and_time(place.source / TARGET)
    with monkeypatch.context() as patch:
        after_presign(patch, place, lambda: grow(place), times=99)
        summary = await place.run(on_change="retry")
    assert (summary.exit_code, place.states()[KEY]) == (3, FileState.CHANGED)
    assert [orphan.path for orphan in place.orphans()] == place.orphaned([KEY] * 4)
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


@magic_hour
async def test_a_file_that_changes_back_to_its_uploaded_bytes(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row has a new ticket by then, so it is uploaded again."""
    await place.run()
    original = (place.source / TARGET).read_bytes()
    change_behind_size_and_time(place.source / TARGET)
    after_presign(monkeypatch, place, lambda: place.write({TARGET: original}))
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.retries, place.puts) == (0, 1, 7)
    place.assert_uploaded()


def change_behind_size_and_time(path: Path) -> None:
    before = path.stat()
    path.write_bytes(os.urandom(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@magic_hour
@pytest.mark.parametrize("setting", [{"max_size": 20_000}, {"min_age": 600}], ids=str)
async def test_a_changed_file_that_the_filters_now_exclude(
    place: World, monkeypatch: pytest.MonkeyPatch, setting: dict[str, float]
) -> None:
    """It is left to the next run."""
    for path in place.source.rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    after_presign(monkeypatch, place, lambda: place.write({TARGET: bytes(30_000)}))
    summary = await place.run(on_change="retry", **setting)
    assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 1, 5)


@pytest.mark.parametrize("place", ["xvid"], indirect=True)
async def test_a_changed_file_with_a_new_place(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scan claimed its old place; the next scan claims the new one."""
    place.settings["object_key"] = "{date}/{path}"

    def change() -> None:
        rewrite(place)
        os.utime(place.source / TARGET, (1_000_000_000, 1_000_000_000))

    with monkeypatch.context() as patch:
        after_presign(patch, place, change)
        summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.changed) == (3, 1)
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


@magic_hour
@pytest.mark.parametrize("code", [ExitCode.SIGTERM, ExitCode.TIME_UP])
async def test_a_stopped_run_does_not_wait_for_changed_files(
    place: World, monkeypatch: pytest.MonkeyPatch, code: ExitCode
) -> None:
    """They are left to the next run at once."""
    place.tunables = Tunables(retry=RetryPolicy(base=0.01, rechecks=(3600.0,)))
    with monkeypatch.context() as patch:
        after_presign(patch, place, lambda: rewrite(place))
        async with place.uploader(on_change="retry", grace=3600) as uploader, anyio.create_task_group() as tasks:
            tasks.start_soon(uploader.run)
            with anyio.fail_after(30):
                while uploader.gauge.counters.uploaded < 5 or not uploader.gauge.depths()["waiting"]:
                    await anyio.sleep(0.01)
            uploader.stop(code)
    assert (uploader.summary.exit_code, uploader.summary.counters.remaining) == (code, 1)
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()
    assert [orphan.path for orphan in place.orphans()] == place.orphaned([KEY])
    assert place.lost_ids() == 0
