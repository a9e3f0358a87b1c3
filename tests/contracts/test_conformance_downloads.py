"""Providers that return URLs to read uploads back from."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest
from conformance_world import EVERY, conformance, having, tree
from pipeline_world import Need, World

from bulkup.api import composition
from bulkup.helpers.secrets import Secret
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.model.tickets import Download
from bulkup.providers import PROVIDER_CLASSES, Provider
from bulkup.transport import Transport

DOWNLOADING = having(Need.DOWNLOADS)


@pytest.fixture(params=DOWNLOADING)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        yield running


async def downloaded(place: World, remote_id: str, **credentials: str) -> Download | None:
    """Ask the provider where an upload can be read back from."""
    settings = place.resolved()
    secrets = {name: Secret(value) for name, value in {**place.credentials, **credentials}.items()}
    values = composition.provider_settings(settings, ())
    provider = composition.build_provider(settings, place.server.url, secrets, values, place.clock)
    assert provider.capabilities.downloads
    async with Transport(composition.transport_options(settings), place.clock) as transport:
        return await provider.download(remote_id, functools.partial(transport.call, place.server.url))


def test_the_suite_lists_every_provider_with_downloads() -> None:
    overriding = {name for name, kind in PROVIDER_CLASSES.items() if kind.download is not Provider.download}
    assert overriding == set(DOWNLOADING)
    assert overriding <= set(EVERY)


async def test_every_upload_can_be_read_back(place: World) -> None:
    """Under its own id, byte for byte, and also once another file was uploaded."""
    files = tree(6)
    place.write(files)
    assert (await place.run()).exit_code == 0
    async with aiohttp.ClientSession() as http:
        for row in place.manifest():
            found = await downloaded(place, row.remote_id or "")
            assert found is not None
            assert found.expires_at is not None
            assert found.expires_at > place.clock.now()
            async with http.get(found.url.reveal()) as answer:
                assert answer.status == 200
                assert await answer.read() == files[row.path.decode()]


async def test_an_upload_that_the_service_does_not_have(place: World) -> None:
    assert await downloaded(place, "file-8b9ecfde-0000-4000-8000-000000000000") is None


async def test_a_refused_credential_is_told_as_such(place: World) -> None:
    """It does not mean that the upload is missing."""
    place.write({"a.mp4": b"a"})
    await place.run()
    (row,) = place.manifest()
    with pytest.raises(ProblemError) as raised:
        await downloaded(place, row.remote_id or "", **dict.fromkeys(place.credentials, "another-key-0001"))
    assert raised.value.problem.kind is ProblemKind.UNAUTHORIZED
    assert not raised.value.problem.maybe_created


@pytest.mark.parametrize("fault", ["status-503,first=1", "retry-later,first=1"])
async def test_a_fault_of_the_service_is_a_problem(place: World, fault: str) -> None:
    """A later call may succeed, and no id can have been created."""
    place.write({"a.mp4": b"a"})
    await place.run()
    (row,) = place.manifest()
    place.faults(fault)
    with pytest.raises(ProblemError) as raised:
        await downloaded(place, row.remote_id or "")
    assert raised.value.problem.kind in (ProblemKind.UNREACHABLE, ProblemKind.THROTTLED)
    assert not raised.value.problem.maybe_created


async def test_other_providers_have_no_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(EVERY) - set(DOWNLOADING):
        async with conformance(tmp_path / name, name, monkeypatch) as place:
            assert not place.capabilities.downloads
