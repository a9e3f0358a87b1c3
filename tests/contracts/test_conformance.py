"""Every provider without faults: one file, full groups, many files, and refused files."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from conformance_world import (
    CLOSING,
    EVERY,
    adapter_of,
    conformance,
    having,
    is_closing,
    recorded_calls,
    tree,
)
from pipeline_world import Need, World

from bulkup import FileState
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.providers import PROVIDER_CLASSES, FileSpec, Provider, TicketAnswer


@pytest.fixture(params=EVERY)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        yield running


async def test_single_file(place: World) -> None:
    """At most one presign call, one transfer and one record; the manifest has its location."""
    place.write({"a.mp4": b"a"})
    summary = await place.run()
    assert (summary.exit_code, summary.counters.uploaded, place.puts) == (0, 1, 1)
    assert summary.counters.presign_calls == place.calls == place.presign_calls(1)
    place.assert_uploaded()
    (row,) = place.manifest()
    assert (row.provider, row.attempts, row.error) == (place.adapter, 1, None)
    assert row.remote_id
    assert place.orphans() == []


async def test_full_group_and_one_more(place: World) -> None:
    """One file more than a group leads to two calls, and every file has an id of its own."""
    size = place.capabilities.batch_size
    place.write_many(size + 1, size=20)
    summary = await place.run()
    assert (summary.exit_code, summary.counters.presign_files) == (0, size + 1)
    assert summary.counters.presign_calls == place.calls == place.presign_calls(2)
    place.assert_uploaded()


async def test_every_file_under_its_own_id(place: World) -> None:
    """Many files of different sizes and types, in several calls, are each stored under their own id."""
    place.write(tree(60))
    place.write({"large.mov": os.urandom(2 * 1024**2 + 1), "same/one.mp4": b"same", "same/two.mp4": b"same"})
    summary = await place.run(batch_size=7)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 63)
    assert place.puts + summary.counters.already_there == 63
    place.assert_uploaded()
    assert place.lost_ids() == 0


async def test_one_name_in_many_folders(place: World) -> None:
    """Files with the same name in different folders stay separate."""
    names = ("a.mp4", "one/a.mp4", "two/a.mp4", "one/two/a.mp4", "two/one/a.mp4")
    place.write({name: f"content of {name}".encode() for name in names})
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()


async def test_second_run_makes_no_call(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run over an uploaded tree makes no API call and sends nothing."""
    place.write(tree(12))
    await place.run()
    calls = recorded_calls(monkeypatch)
    summary = await place.run()
    assert (summary.exit_code, summary.counters.skipped, summary.counters.bytes_sent) == (0, 12, 0)
    assert (calls, place.puts) == ([], 12)


@pytest.mark.parametrize("place", having(Need.REJECTION), indirect=True)
async def test_refused_beforehand(place: World) -> None:
    """A file that the service does not accept is rejected with a reason and without a call.

    Other files are uploaded.
    """
    name = os.fsencode(place.service.refuses)
    place.write_many(9)
    place.write({name: b"x"})
    summary = await place.run()
    assert (summary.exit_code, summary.counters.rejected, summary.counters.uploaded) == (3, 1, 9)
    place.assert_uploaded(name)
    (row,) = [row for row in place.manifest() if row.path == name]
    assert (row.status, row.attempts, row.remote_id) == (FileState.REJECTED, 0, None)
    assert row.error
    assert place.server.stats()["tickets"] == place.presign_calls(9)
    assert summary.counters.presign_files == 9


def refuse(monkeypatch: pytest.MonkeyPatch, provider: str, bad: str) -> None:
    """Make the service refuse every group that contains the file `bad`."""
    kind = PROVIDER_CLASSES[adapter_of(provider)]
    presign = kind.presign

    async def refused(request: ApiRequest) -> ApiAnswer:
        return ApiAnswer(400, {"content-type": "application/json"}, b"{}", 0.0)

    async def asked(self: Provider, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:
        answers: Sequence[TicketAnswer] = await presign(
            self, specs, refused if any(spec.name == bad for spec in specs) else call
        )
        return answers

    monkeypatch.setattr(kind, "presign", asked)


@pytest.mark.parametrize("place", having(Need.API), indirect=True)
async def test_refused_by_the_service(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused file is found in its group and rejected alone. Other files are uploaded."""
    refuse(monkeypatch, place.provider, "bad.mp4")
    place.write_many(14)
    place.write({"d3/bad.mp4": b"x"})
    summary = await place.run(batch_size=10)
    assert (summary.exit_code, summary.counters.rejected, summary.counters.uploaded) == (3, 1, 14)
    place.assert_uploaded(b"d3/bad.mp4")
    assert place.states()[b"d3/bad.mp4"] is FileState.REJECTED
    assert place.orphans() == []


@pytest.mark.parametrize("place", CLOSING, indirect=True)
@pytest.mark.parametrize("confirm", [True, False])
async def test_closing_calls(place: World, monkeypatch: pytest.MonkeyPatch, confirm: bool) -> None:
    """Every upload is closed after its transfer. With `confirm = false` there are no closing calls."""
    calls = recorded_calls(monkeypatch)
    place.write_many(8)
    summary = await place.run(confirm=confirm)
    assert (summary.exit_code, summary.counters.uploaded) == (0, 8)
    place.assert_uploaded()
    closed = [request.path for request in calls if is_closing(request) and request.method != "GET"]
    assert len(closed) == len(set(closed)) == (8 if confirm else 0)
    assert all(any(row.remote_id in path for path in closed) for row in place.manifest() if row.remote_id and confirm)
