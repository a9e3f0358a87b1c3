"""Notifications to servers that take them, refuse them, are slow, or cannot be reached."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bulkup.api import Summary
from bulkup.api.notify.delivery import Delivery
from bulkup.api.notify.notifier import Notifier
from bulkup.config import Settings
from bulkup.model.counters import Counters

SUMMARY = Summary("20260101-ab12", 1, Counters(found=3, uploaded=2, failed=1), 2.0)
SECRET = "hunter2"


class Receiver:
    """A server that keeps the requests, and answers each with the next status; the last one stays.

    A status of 0 is no answer at all.
    """

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses) or [200]
        self.requests: list[tuple[str, str, bytes]] = []
        self.headers: list[Any] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, await request.read()))
        self.headers.append(request.headers)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if status == 0:
            await anyio.sleep_forever()
        return web.Response(status=status, headers={"Location": f"/{SECRET}"} if status == 302 else {})

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]


@contextlib.asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    receiver, app = Receiver(*statuses), web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/{SECRET}"
        yield receiver
    finally:
        await runner.cleanup()


def notifier(environ: dict[str, str] | None = None, **table: Any) -> Notifier:
    settings = Settings.model_validate({"provider": "local", "notify": table})
    return Notifier(settings, profile="nightly", environ=environ or {})


async def test_the_start_and_the_end_of_a_run() -> None:
    async with receiving() as receiver, notifier(ping_url=receiver.url, slack_url=receiver.url) as told:
        told.start()
        with anyio.fail_after(30):
            while not receiver.requests:
                await anyio.sleep(0.01)
        await told.ended(SUMMARY, 1)
    assert sorted(receiver.paths) == [f"/{SECRET}", f"/{SECRET}/1", f"/{SECRET}/start"]
    assert {method for method, _, _ in receiver.requests} == {"POST"}
    (slack,) = (body for _, path, body in receiver.requests if path == f"/{SECRET}")
    assert orjson.loads(slack)["text"].startswith(":x: *nightly* on ")


async def test_a_webhook_receives_the_summary() -> None:
    environ = {"HOOK": ""}
    async with receiving() as receiver:
        environ["HOOK"] = receiver.url
        async with notifier(environ, webhook_url="env:HOOK") as told:
            await told.ended(SUMMARY, 1)
    ((_, _, body),) = receiver.requests
    assert receiver.headers[0]["content-type"] == "application/json"
    received = orjson.loads(body)
    assert (received["event"], received["run"], received["exit_code"]) == ("run.failure", "20260101-ab12", 1)
    assert received["summary"]["files"]["uploaded"] == 2


async def test_a_run_that_could_not_start() -> None:
    async with receiving() as receiver, notifier(webhook_url=receiver.url) as told:
        await told.failed(5, "another run holds the journal", "use --wait")
    received = orjson.loads(receiver.requests[0][2])
    assert (received["exit_code"], received["error"], received["summary"]) == (5, "another run holds the journal", None)


async def test_a_failure_that_passes_is_repeated() -> None:
    async with receiving(503, 200) as receiver, notifier(ping_url=receiver.url) as told:
        assert await told.test("success") == [Delivery("ping_url", None)]
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, "it answered 404"), (302, "it answered 302"), (0, "no answer within"), (500, "it answered 500")],
)
async def test_a_failure_that_stays_is_a_warning(status: int, reason: str) -> None:
    """It names neither the address nor a part of it. The receiver beside it is notified all the same."""
    async with receiving(status) as bad, receiving() as good:
        with capture_logs() as logs, anyio.fail_after(30):
            async with notifier(slack_url=bad.url, webhook_url=good.url, limit=0.5) as told:
                await told.failed(1, "x", "")
    assert len(good.requests) == 1
    (warning,) = (line for line in logs if line["log_level"] == "warning")
    assert (warning["event"], warning["receiver"], warning["moment"]) == ("notify.failed", "slack_url", "failure")
    assert reason in warning["reason"]
    assert SECRET not in str(logs)


async def test_a_receiver_that_cannot_be_reached() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/{SECRET}"
        async with notifier(ping_url=url, limit=0.5) as told:
            ((key, reason),) = await told.test("failure")
    assert key == "ping_url"
    assert reason is not None
    assert "cannot connect to http://127.0.0.1" in reason
    assert SECRET not in reason


async def test_the_end_abandons_a_start_that_hangs() -> None:
    async with receiving(0, 200) as receiver, notifier(ping_url=receiver.url, limit=60) as told:
        told.start()
        with anyio.fail_after(30):
            while not receiver.requests:
                await anyio.sleep(0.01)
            await told.ended(SUMMARY, 0)
    assert receiver.paths == [f"/{SECRET}/start", f"/{SECRET}"]


async def test_leaving_ends_everything() -> None:
    """A run that is broken off does not wait for a notification."""
    with anyio.fail_after(30):
        async with receiving(0) as receiver, notifier(ping_url=receiver.url, limit=60) as told:
            told.start()


async def test_an_address_that_cannot_be_fetched_costs_only_its_receiver() -> None:
    async with receiving() as receiver, notifier(ping_url="env:MISSING", webhook_url=receiver.url) as told:
        deliveries = dict(await told.test("success"))
    assert deliveries == {
        "ping_url": "notify.ping_url: env:MISSING is not set",
        "webhook_url": None,
    }


async def test_an_address_that_is_fetched_slowly_does_not_delay_the_others() -> None:
    async with receiving() as receiver:
        slow: dict[str, Any] = {"slack_url": "command:sleep 600", "slack_on": ["success"]}
        async with notifier(**slow, ping_url=receiver.url, limit=4) as told:
            with anyio.fail_after(30):
                deliveries = dict(await told.test("success"))
    assert deliveries["ping_url"] is None
    assert deliveries["slack_url"] is not None
    assert deliveries["slack_url"] in (
        "its address could not be fetched in time",
        "notify.slack_url: command:sleep *** gave no answer within 2 s",
    )


async def test_a_command_receives_the_notification(tmp_path: Path) -> None:
    script = (
        f"import os, sys; open({str(tmp_path / 'out')!r}, 'w').write(os.environ['BULKUP_EVENT'] + sys.stdin.read())"
    )
    command = [sys.executable, "-I", "-c", script]
    async with notifier({"PATH": ""}, on_failure=command, on_success=["/no/such/command"]) as told:
        await told.ended(SUMMARY, 1)
        deliveries = await told.test("success")
    text = (tmp_path / "out").read_text()
    assert orjson.loads(text.removeprefix("failure"))["run"] == "20260101-ab12"
    assert deliveries == [("on_success", "it cannot be run: No such file or directory")]


async def test_a_command_that_hangs_costs_the_time_limit() -> None:
    async with notifier({"PATH": "/usr/bin:/bin"}, on_failure="sleep 600", limit=0.2) as told:
        with anyio.fail_after(30):
            ((key, reason),) = await told.test("failure")
    assert key == "on_failure"
    assert reason is not None
    assert reason.startswith("it did not end within 0.")


async def test_a_file_of_authorities_that_cannot_be_used_stops_no_notification(tmp_path: Path) -> None:
    """It ends the run, which is a reason to notify."""
    (tmp_path / "ca.pem").write_text("no certificate")
    async with receiving() as receiver:
        given = {"notify": {"ping_url": receiver.url}, "ca_file": str(tmp_path / "ca.pem")}
        async with Notifier(Settings.model_validate(given), profile=None, environ={}) as told:
            assert await told.test("failure") == [("ping_url", None)]
