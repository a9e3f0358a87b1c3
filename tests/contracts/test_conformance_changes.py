"""Files that change or vanish under every provider's runs, and what `on_change` makes of them: never other bytes than
those recorded, and no id that nothing accounts for.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from conformance_world import EVERY, conformance, tree
from pipeline_world import World, quick_retries

from bulkup import ExitCode, FileState
from bulkup.model.bodies import Body
from bulkup.model.tickets import Ticket
from bulkup.pipeline.files.digests import digests_of
from bulkup.providers import PROVIDERS, FileSpec
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
    """Act each time, `times` at most, that the target has got a ticket, before any byte of it is read to be sent."""
    kind: Any = PROVIDERS[place.provider]
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


async def test_it_is_sent_as_it_is_then(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `retry` the new bytes go up with a ticket of their own; the old id is an orphan."""
    after_presign(monkeypatch, place, lambda: rewrite(place))
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.uploaded, summary.counters.retries) == (0, 6, 1)
    place.assert_uploaded()
    assert [orphan.path for orphan in place.orphans()] == [KEY]
    assert place.lost_ids() == 0
    assert summary.counters.bytes_found == summary.counters.bytes_uploaded


async def test_it_goes_on_changing(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written to all the time is left to the next run after a few looks, and the others are up."""
    after_presign(monkeypatch, place, lambda: grow(place), times=99)
    summary = await place.run(on_change="retry")
    assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 1, 5)
    assert summary.counters.retries == 3
    assert place.states()[KEY] is FileState.CHANGED
    assert [orphan.path for orphan in place.orphans()] == [KEY] * 4
    assert place.lost_ids() == 0
    monkeypatch.undo()
    place.assert_uploaded(KEY)


@pytest.mark.parametrize(
    ("policy", "code", "state"), [("skip", 3, FileState.CHANGED), ("fail", 1, FileState.FAILED)], ids=["skip", "fail"]
)
async def test_it_is_left(
    place: World, monkeypatch: pytest.MonkeyPatch, policy: str, code: int, state: FileState
) -> None:
    """Without a further look it is `changed` or `failed`, and the next run takes it either way."""
    with monkeypatch.context() as patch:
        after_presign(patch, place, lambda: rewrite(place))
        summary = await place.run(on_change=policy)
    assert (summary.exit_code, place.states()[KEY], summary.counters.retries) == (code, state, 0)
    assert (await place.run(on_change=policy)).exit_code == 0
    place.assert_uploaded()
    assert place.lost_ids() == 0


@magic_hour
@pytest.mark.parametrize(("policy", "code"), [("retry", 3), ("skip", 3), ("fail", 1)])
async def test_it_vanishes(place: World, monkeypatch: pytest.MonkeyPatch, policy: str, code: int) -> None:
    """There is nothing to be tried again; what has come back until then is."""
    after_presign(monkeypatch, place, (place.source / TARGET).unlink)
    summary = await place.run(on_change=policy)
    assert (summary.exit_code, summary.counters.uploaded) == (code, 5)
    assert (summary.counters.changed, summary.counters.failed) == ((1, 0) if code == 3 else (0, 1))
    assert place.lost_ids() == 0


@magic_hour
async def test_another_file_takes_its_name(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaced through a rename, as editors do: the new file is what goes up."""

    def replace() -> None:
        place.write({"new": b"from another file"})
        (place.source / "new").rename(place.source / TARGET)

    after_presign(monkeypatch, place, replace)
    assert (await place.run(on_change="retry")).exit_code == 0
    place.assert_uploaded()


@magic_hour
async def test_it_changes_under_a_streamed_body(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the old bytes are at storage already: what is recorded are the new ones, whole."""
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
async def test_it_changes_before_it_is_hashed(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything was asked for it: it is hashed anew, and no id is lost."""
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
async def test_it_changes_while_it_is_compared(place: World, monkeypatch: pytest.MonkeyPatch, content: bool) -> None:
    """A file that was uploaded and is hashed again: sent where its bytes are others in the end, and only then."""
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
async def test_it_was_uploaded_and_goes_on_changing(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier run uploaded is not what is there now, and no ticket for what it was meanwhile stays."""
    await place.run()
    change_behind_size_and_time(place.source / TARGET)
    with monkeypatch.context() as patch:
        after_presign(patch, place, lambda: grow(place), times=99)
        summary = await place.run(on_change="retry")
    assert (summary.exit_code, place.states()[KEY]) == (3, FileState.CHANGED)
    assert [orphan.path for orphan in place.orphans()] == [KEY] * 4
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


@magic_hour
async def test_it_becomes_what_was_uploaded(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By then its row tells of the ticket that it got meanwhile, so it goes up once more."""
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
async def test_it_is_no_longer_the_run_s_business(
    place: World, monkeypatch: pytest.MonkeyPatch, setting: dict[str, float]
) -> None:
    """What the user's limits leave out now is left to the next run."""
    for path in place.source.rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    after_presign(monkeypatch, place, lambda: place.write({TARGET: bytes(30_000)}))
    summary = await place.run(on_change="retry", **setting)
    assert (summary.exit_code, summary.counters.changed, summary.counters.uploaded) == (3, 1, 5)


@pytest.mark.parametrize("place", ["xvid"], indirect=True)
async def test_it_is_to_stand_elsewhere(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place was claimed by the scan, and so is the new one by the next."""
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
async def test_the_run_is_stopped_meanwhile(place: World, monkeypatch: pytest.MonkeyPatch, code: ExitCode) -> None:
    """A file that waits for another look is left to the next run, at once."""
    quick_retries(monkeypatch, rechecks=(3600.0,))
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
    assert [orphan.path for orphan in place.orphans()] == [KEY]
    assert place.lost_ids() == 0
