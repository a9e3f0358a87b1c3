"""Every provider with credentials that are wrong, change, have to be fetched, or are affected by the clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from conformance_world import EVERY, MovableClock, before_sending, conformance, having, recorded_calls, tree
from pipeline_world import Need, World

from bulkup import FileState, ServiceError, Summary
from bulkup.model.http import ApiRequest
from bulkup.model.tickets import Ticket

IAM: dict[str, str | None] = {
    "access_key": None,
    "secret_key": None,
    "iam_user": "local-user",
    "iam_domain": "local-domain",
    "iam_password": "local-password-0001",
}
OAUTH: dict[str, str | None] = {"token": None, "client_id": "local-client", "client_secret": "local-client-secret"}
# Credentials that are not the first choice of a service: settings, the path that issues tokens, the secret, and
# the lifetime of a token in seconds.
FETCHED: dict[str, tuple[dict[str, str | None], str, str, int]] = {
    "metastudio": (IAM, "/v3/auth/tokens", "iam_password", 24 * 3600),
    "xvid": (OAUTH, "/v1/oauth2/token/", "client_secret", 7200),
}
OTHERS: dict[str, tuple[str, dict[str, str | None]]] = {
    "x-auth-token": ("metastudio", {"access_key": None, "secret_key": None, "auth_token": "local-token"}),
    "temporary keys": ("metastudio", {"security_token": "local-security-token"}),
    "iam": ("metastudio", IAM),
    "oauth": ("xvid", OAUTH),
}


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the runs."""
    return MovableClock()


@pytest.fixture(params=having(Need.REFUSED_KEYS))
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> AsyncGenerator[World, None]:
    async with conformance(tmp_path, request.param, monkeypatch, server_clock=clock) as running:
        running.clock = clock
        yield running


def assert_refused(summary: Summary) -> str:
    """Assert that the run ended because of its credentials, and return its message."""
    assert summary.exit_code == 4
    assert isinstance(summary.error, ServiceError)
    assert summary.error.message.startswith("the credentials are refused")
    assert summary.counters.failed == summary.counters.rejected == 0
    return summary.error.message


async def test_wrong_credentials(place: World) -> None:
    """They end a run with exit code 4 and nothing uploaded. With correct ones, the next run uploads everything."""
    place.write(tree(8))
    summary = await place.run(**{name: f"wrong-{name}-0001" for name in place.credentials})
    assert_refused(summary)
    assert (summary.counters.remaining, place.puts, place.server.stats()["tickets"]) == (8, 0, 0)
    assert FileState.UPLOADED not in place.states().values()
    assert place.orphans() == []
    assert (await place.run()).exit_code == 0
    place.assert_uploaded()
    assert place.puts == 8


@pytest.mark.parametrize("way", OTHERS)
@pytest.mark.parametrize("right", [True, False])
async def test_other_ways_to_authenticate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, right: bool
) -> None:
    """Each one works with correct credentials, and ends the run with wrong ones."""
    provider, settings = OTHERS[way]
    async with conformance(tmp_path, provider, monkeypatch) as place:
        place.write(tree(4))
        given = {name: value if right or value is None else f"wrong-{name}" for name, value in settings.items()}
        summary = await place.run(**given)
        if right:
            assert summary.exit_code == 0, summary.error
            place.assert_uploaded()
        else:
            assert_refused(summary)
            assert place.puts == 0


def revoke(place: World) -> dict[str, str]:
    """Make the server accept other credentials, and return them."""
    new = {
        "token": "another-token",
        "api_key": "another-api-key-0001",
        "access_key": "ANOTHERACCESSKEY0001",
        "secret_key": "another-secret-key",
    }
    place.server.set_credentials(**new)
    return {
        name: new.get("token" if name == "auth_token" else name, value) for name, value in place.credentials.items()
    }


async def test_credentials_revoked_during_a_run(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends and keeps its uploads. With a new key, the next run sends only the rest."""
    place.write(tree(40))
    new: dict[str, str] = {}

    async def revoked(_: Ticket) -> None:
        if place.puts >= 3 and not new:
            new.update(revoke(place))

    with monkeypatch.context() as patch:
        before_sending(patch, revoked)
        summary = await place.run(concurrency=1, batch_size=2, calls_in_flight=1)
    assert_refused(summary)
    assert summary.counters.remaining
    assert sum(state is FileState.UPLOADED for state in place.states().values()) == summary.counters.uploaded
    last = await place.run(**new)
    assert (last.exit_code, last.counters.skipped, place.puts) == (0, summary.counters.uploaded, 40)
    place.assert_uploaded()
    assert place.orphans() == []


def tokens_asked(calls: list[ApiRequest], provider: str) -> int:
    return sum(request.path == FETCHED[provider][1] for request in calls)


@pytest.mark.parametrize("place", FETCHED, indirect=True)
async def test_one_token_for_many_files(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simultaneous calls share one token."""
    calls = recorded_calls(monkeypatch)
    place.write(tree(40))
    summary = await place.run(**FETCHED[place.provider][0])
    assert (summary.exit_code, tokens_asked(calls, place.provider)) == (0, 1)
    place.assert_uploaded()


def ahead_at_third_send(monkeypatch: pytest.MonkeyPatch, clock: MovableClock, seconds: float) -> None:
    """Move a clock ahead before the third file is sent."""
    sent = 0

    async def counted(_: Ticket) -> None:
        nonlocal sent
        sent += 1
        clock.ahead += seconds if sent == 3 else 0

    before_sending(monkeypatch, counted)


@pytest.mark.parametrize("place", FETCHED, indirect=True)
@pytest.mark.parametrize(("spent", "tokens"), [(0.5, 1), (0.99, 2)])
async def test_a_token_is_renewed_shortly_before_it_expires(
    place: World, monkeypatch: pytest.MonkeyPatch, clock: MovableClock, spent: float, tokens: int
) -> None:
    """While the service still accepts the old one."""
    settings, _, _, life = FETCHED[place.provider]
    calls = recorded_calls(monkeypatch)
    ahead_at_third_send(monkeypatch, clock, spent * life)
    place.write(tree(20))
    summary = await place.run(**settings, concurrency=1, calls_in_flight=2)
    assert (summary.exit_code, summary.counters.retries) == (0, 0)
    assert tokens_asked(calls, place.provider) == tokens
    place.assert_uploaded()


@pytest.mark.parametrize("provider", FETCHED)
async def test_a_token_that_was_revoked_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str) -> None:
    """It is replaced within the call (APIGW.0307, 0x0000003), which costs no attempt."""
    settings, _, _, life = FETCHED[provider]
    clock = MovableClock()  # of the server alone
    calls = recorded_calls(monkeypatch)
    ahead_at_third_send(monkeypatch, clock, life + 60)
    async with conformance(tmp_path, provider, monkeypatch, server_clock=clock) as place:
        place.write(tree(20))
        summary = await place.run(**settings, concurrency=1, calls_in_flight=2)
        assert (summary.exit_code, summary.counters.retries) == (0, 0), summary.error
        assert tokens_asked(calls, provider) == 2
        place.assert_uploaded()


@pytest.mark.parametrize("place", FETCHED, indirect=True)
async def test_a_password_that_changes_during_a_run(place: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends with a hint, and succeeds with the new password."""
    settings, _, secret, _ = FETCHED[place.provider]
    place.write(tree(20))

    async def changed(_: Ticket) -> None:
        if place.puts == 3:
            place.server.set_credentials(iam_password="another", client_secret="another")

    with monkeypatch.context() as patch:
        before_sending(patch, changed)
        summary = await place.run(**settings, concurrency=1, calls_in_flight=1)
    assert secret in assert_refused(summary)
    assert "another" not in str(summary.error)
    assert (await place.run(**settings | {secret: "another"})).exit_code == 0
    place.assert_uploaded()
    assert (place.puts, place.orphans()) == (20, [])


@pytest.mark.parametrize("minutes", [20, -20])
async def test_clock_that_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    """If signatures are invalid because of this machine's clock, the message states the difference."""
    async with conformance(tmp_path, "metastudio", monkeypatch, server_clock=MovableClock(60.0 * minutes)) as place:
        place.write(tree(3))
        said = assert_refused(await place.run())
        assert f"clock is 20 minutes {'behind' if minutes > 0 else 'ahead of'} the service's" in said
        assert place.orphans() == []


@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize("minutes", [10, -10])
async def test_clock_that_is_off_a_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, minutes: int
) -> None:
    """A clock that is ten minutes off does no harm, even with URLs that are valid for five minutes."""
    async with conformance(tmp_path, provider, monkeypatch, url_ttl=300) as place:
        place.clock = MovableClock(60.0 * minutes)
        place.write(tree(6))
        summary = await place.run()
        assert (summary.exit_code, summary.counters.presign_renewed) == (0, 0)
        place.assert_uploaded()
