"""`bulkup verify`: uploads compared with the disk and with each service that can tell."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest
from conformance_world import conformance, tree
from pipeline_world import SERVICES, World

from bulkup.api.verify.store_access import open_store, tells_stored
from bulkup.api.verify.store_comparison import StoreComparison
from bulkup.api.verify.upload_check import UploadCheck, VerifyOptions
from bulkup.errors import ServiceError
from bulkup.journal import Reader
from bulkup.model.disk_states import DiskState
from bulkup.model.verify_results import ContentState, StoreState, VerifiedFile, VerifyCounts

TELLING = ("move-ugc", "s3", "git-lfs", "local")
WITH_SIZES = ("s3", "local")


@pytest.fixture(params=TELLING)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        running.write(tree(12))
        assert (await running.run()).exit_code == 0
        yield running


async def verified(
    place: World, *, local: bool = False, changes: dict[str, Any] | None = None, **options: Any
) -> tuple[list[VerifiedFile], VerifyCounts]:
    """Verify everything, three rows at a time, and return what differs with the figures."""
    found: list[VerifiedFile] = []

    def emit(files: Sequence[VerifiedFile]) -> None:
        found.extend(files)

    chosen = VerifyOptions(rows=3, rows_with_details=3, **options)
    with Reader(str(place.journal)) as reader:
        if local:
            return found, await UploadCheck(reader, chosen).run(emit)
        settings = place.resolved(attempts=2, **(changes or {}))
        async with open_store(settings, None, {}, place.clock) as access:
            store = StoreComparison(access, place.clock.now())
            counts = await UploadCheck(reader, chosen, store, access.destination).run(emit)
    return found, counts


def test_the_services_that_tell_what_they_have() -> None:
    from bulkup.providers import PROVIDER_CLASSES, Provider

    assert {name for name, kind in PROVIDER_CLASSES.items() if kind.stored is not Provider.stored} == set(TELLING)


@pytest.mark.parametrize("deep", [False, True])
async def test_everything_is_as_it_was_uploaded(place: World, deep: bool) -> None:
    found, counts = await verified(place, deep=deep, rehash=True)
    assert found == []
    assert (counts.files, counts.differing) == (12, 0)
    assert counts.disk == {DiskState.SAME: 12}
    assert counts.content == {ContentState.SAME: 12}
    assert counts.store == {StoreState.SAME: 12}


@pytest.mark.parametrize("deep", [False, True])
async def test_an_upload_that_was_deleted_at_the_service(place: World, deep: bool) -> None:
    """Move still has its record of the file, so only reading it back shows the loss."""
    row = place.manifest()[5]
    place.stored_at(row).unlink()
    if place.provider == "move-ugc" and not deep:
        return
    (found,), counts = await verified(place, deep=deep)
    assert (found.path, found.store, found.lost) == (row.path, StoreState.MISSING, True)
    assert counts.lost == 1


async def test_other_bytes_at_the_service_are_found_by_reading_them(place: World) -> None:
    row = place.manifest()[3]
    stored = place.stored_at(row)
    data = stored.read_bytes()
    stored.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    (found,), counts = await verified(place, deep=True)
    assert (found.path, found.store, counts.lost) == (row.path, StoreState.DIFFERENT, 1)
    assert (row.checksum or "") in found.reason


async def test_another_size_at_the_service(place: World) -> None:
    row = place.manifest()[3]
    place.stored_at(row).write_bytes(b"")
    found, _ = await verified(place, deep=place.provider not in WITH_SIZES)
    assert [(one.path, one.store) for one in found] in (
        [(row.path, StoreState.DIFFERENT)],
        [(row.path, StoreState.MISSING)],  # git-lfs: the server does not have that id with that size
    )


async def test_uploads_to_another_account_are_unknown(place: World) -> None:
    _, counts = await verified(place, changes={"destination": "another"})
    assert counts.store == {StoreState.UNKNOWN: 12}
    assert counts.differing == 0


async def test_a_refused_credential_ends_the_verification(place: World) -> None:
    """It does not mean that uploads are missing."""
    if place.provider == "s3":
        changes: dict[str, Any] = {"secret_key": "another-secret-key-0001"}
    else:
        changes = dict.fromkeys(place.credentials, "another-key-0001")
    with pytest.raises(BaseExceptionGroup) as raised:
        await verified(place, changes=changes)
    assert raised.group_contains(ServiceError)


async def test_files_that_changed_on_disk(place: World) -> None:
    """Files are compared in pages of three, so one of each page differs."""
    rows = place.manifest()
    os.utime(os.path.join(os.fsencode(place.source), rows[0].path), ns=(1, 1))
    os.unlink(os.path.join(os.fsencode(place.source), rows[4].path))
    found, counts = await verified(place, local=True)
    assert [(one.path, one.disk) for one in found] == [
        (rows[0].path, DiskState.CHANGED),
        (rows[4].path, DiskState.DELETED),
    ]
    assert (counts.files, counts.differing, counts.lost) == (12, 2, 0)
    assert counts.store == {}


async def test_damage_on_disk_is_found_by_reading(place: World) -> None:
    """Size and times are as recorded: only the bytes differ."""
    row = place.manifest()[2]
    path = os.path.join(os.fsencode(place.source), row.path)
    status = os.stat(path)
    with open(path, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(bytes([first[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (found,), counts = await verified(place, local=True, rehash=True)
    assert (found.path, found.disk, found.content) == (row.path, DiskState.METADATA, ContentState.DIFFERENT)
    assert counts.lost == 1


async def test_a_busy_service_is_asked_again(place: World) -> None:
    """Once more; a service that stays away ends the verification."""
    place.faults("status-503,first=1")
    _, counts = await verified(place)
    assert counts.store == {StoreState.SAME: 12}


async def test_verifying_writes_nothing(place: World) -> None:
    before = place.journal.read_bytes()
    await verified(place, deep=True)
    assert place.journal.read_bytes() == before


async def test_a_provider_that_cannot_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(SERVICES) - set(TELLING) - {"urls"}:
        async with conformance(tmp_path / name, name, monkeypatch) as place:
            assert not place.capabilities.tells_stored
            assert not tells_stored(place.resolved())
