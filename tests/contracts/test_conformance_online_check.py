"""Every provider is checked with one round trip: address, credentials and clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from conformance_world import EVERY, MovableClock, conformance, having
from pipeline_world import Need, World

from bulkup.api.online_check import check_online
from bulkup.errors import ServiceError

DAY = 86_400.0
REFUSING = having(Need.REFUSED_KEYS)


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the check."""
    return MovableClock()


@pytest.fixture(params=EVERY)
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch) as running:
        running.clock = clock
        running.write_url_list()
        yield running


async def checked(place: World, **changes: object) -> Sequence[str]:
    return await check_online(place.resolved(**changes), profile=None, environ={}, clock=place.clock)


LISTS = {"s3": "the store accepts the credentials", "urls": "urls makes no API call"}


async def test_a_service_in_order(place: World) -> None:
    found = "\n".join(await checked(place))
    assert LISTS.get(place.adapter, "issued an upload URL of the host 127.0.0.1") in found
    assert place.adapter == "urls" or "the clock of this machine agrees with its own" in found
    assert place.puts == 0


@pytest.mark.parametrize("place", REFUSING, indirect=True)
async def test_wrong_credentials_are_an_error(place: World) -> None:
    with pytest.raises(ServiceError) as error:
        await checked(place, **{name: f"wrong-{name}-0001" for name in place.credentials})
    assert "wrong-" not in str(error.value)


@pytest.mark.parametrize("place", REFUSING, indirect=True)
async def test_a_wrong_clock_is_shown(place: World, clock: MovableClock) -> None:
    """Some services refuse the call for it."""
    clock.ahead = 2 * DAY
    try:
        found = "\n".join(await checked(place))
    except ServiceError as error:
        found = str(error.hint)
    assert "2880 min ahead of" in found


@pytest.mark.parametrize("place", REFUSING, indirect=True)
async def test_a_service_that_cannot_be_reached_is_an_error(place: World) -> None:
    with pytest.raises(ServiceError):
        await checked(place, base_url="http://127.0.0.1:9")
