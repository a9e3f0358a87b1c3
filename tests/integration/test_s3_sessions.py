"""Sessions that end and wrong clocks: `s3` over an embedded server, which checks signatures and their times."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from pipeline_world import QUICK_RETRIES, World, read_tree, world
from store_runs import WrongClock

from bulkup import FileState
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.tickets import Ticket
from bulkup.transport import Transport

MIB = 1024**2
FIRST = "local-security-token"
FILES: dict[str, dict[str | bytes, bytes]] = {
    "small": {f"d{n % 3}/{n}.mp4": f"{n}".encode() * 50 for n in range(40)},
    "large": {"a.mov": b"a" * (61 * MIB)},
}
PUTS = {"small": 40, "large": 13}


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World, None]:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    async with world(tmp_path, "s3", tunables=QUICK_RETRIES) as running:
        running.settings = {"multipart_from": 20 * MIB, "part_size": 5 * MIB, "concurrency": 4}
        yield running


def log_in(here: World, token: str) -> None:
    """Write the keys of a session into the file of the AWS tools, from which runs take them."""
    here.settings = {**here.settings, "access_key": None, "secret_key": None}
    config = here.config
    (here.folder / "credentials").write_text(
        f"[default]\naws_access_key_id={config.access_key}\naws_secret_access_key={config.secret_key}\n"
        f"aws_session_token={token}\n"
    )


def at_send(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Call `act` before the request with this number sends bytes."""
    send, seen = Transport.send, 0

    async def sent(self: Transport, ticket: Ticket, *values: Any, **named: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == number:
            act()
        return await send(self, ticket, *values, **named)

    monkeypatch.setattr(Transport, "send", sent)


def assert_stored(here: World) -> None:
    for path, data in read_tree(here.source).items():
        assert Path(here.server.objects_dir, "my-bucket/up", os.fsdecode(path)).read_bytes() == data


@pytest.mark.parametrize("kind", ["small", "large"])
async def test_a_session_that_is_replaced_in_mid_run(here: World, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The store ends the session when another program has just written the keys of the next one."""
    log_in(here, FIRST)
    here.write(FILES[kind])

    def replace() -> None:
        log_in(here, "second")
        here.server.set_credentials(security_token="second")

    at_send(monkeypatch, 6, replace)
    summary = await here.run()
    assert (summary.exit_code, summary.counters.failed, summary.counters.unverified) == (0, 0, 0), summary.error
    assert_stored(here)
    assert here.puts == PUTS[kind]  # no byte is stored twice


async def test_a_session_that_is_replaced_before_the_upload_is_completed(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(here, FIRST)
    here.write(FILES["large"])
    call, tokens = Transport.call, ["second"]

    async def replaced(self: Transport, base_url: str, request: ApiRequest) -> ApiAnswer:
        if "uploadId" in request.path and tokens:
            log_in(here, tokens[0])
            here.server.set_credentials(security_token=tokens.pop())
        return await call(self, base_url, request)

    monkeypatch.setattr(Transport, "call", replaced)
    summary = await here.run()
    assert summary.exit_code == 0, summary.error
    assert_stored(here)
    assert here.puts == PUTS["large"]


@pytest.mark.parametrize("given", ["file", "settings"])
@pytest.mark.parametrize("kind", ["small", "large"])
async def test_a_session_that_is_over(here: World, monkeypatch: pytest.MonkeyPatch, kind: str, given: str) -> None:
    """The run ends and blames no file. The next one, with new keys, sends the rest and nothing twice."""
    if given == "file":
        log_in(here, FIRST)
    else:
        here.settings = {**here.settings, "security_token": FIRST}
    here.write(FILES[kind])
    with monkeypatch.context() as patch:
        at_send(patch, 6, lambda: here.server.set_credentials(security_token="second"))
        summary = await here.run()
    assert summary.exit_code == 4
    assert "the session has ended: log in again" in str(summary.error)
    assert FileState.FAILED not in here.states().values()
    assert 0 < here.puts < PUTS[kind]
    log_in(here, "second")
    assert (await here.run(security_token=None)).exit_code == 0
    assert_stored(here)
    assert here.puts == PUTS[kind]


@pytest.mark.parametrize("hours", [-2.0, 2.0])
@pytest.mark.parametrize("kind", ["small", "large"])
async def test_a_wrong_clock_of_this_machine(here: World, kind: str, hours: float) -> None:
    """The store names its time when it refuses a signature, and from then on signatures have that time."""
    here.clock = WrongClock(hours)
    here.write(FILES[kind])
    summary = await here.run()
    assert (summary.exit_code, summary.counters.failed, summary.counters.unverified) == (0, 0, 0), summary.error
    assert_stored(here)
    assert here.puts == PUTS[kind]
