"""Notifications of the installed command, however it ends."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from e2e_world import Answer, World, answering, ended, run, serving, started, wait_for

SECRET = "hunter2-webhook-path"


@dataclass
class Hooks:
    """A server that takes notifications, and the requests that it has received, by path."""

    url: str = ""
    status: int = 200
    answers: threading.Event = field(default_factory=threading.Event)  # the webhook does not answer before it is set
    received: list[tuple[str, bytes]] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> Answer:
        self.received.append((path, body))
        if "/hook" in path:
            self.answers.wait()
        return self.status, {}, b""

    @property
    def pings(self) -> list[str]:
        return [path.removeprefix(f"/{SECRET}/ping") for path, _ in self.received if "/ping" in path]

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(body) for path, body in self.received if "/hook" in path]


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    hooks = Hooks()
    hooks.answers.set()
    with answering(hooks.take) as url:
        hooks.url = f"{url}/{SECRET}"
        try:
            yield hooks
        finally:
            hooks.answers.set()


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.fill(12)
    return world


def configure(world: World, hooks: Hooks, *, settings: str = "", table: str = "") -> list[str]:
    """Write a profile whose receivers are the hooks, and return the options that name it."""
    path = world.root / "bulkup.toml"
    path.write_text(
        f'[profiles.nightly]\nsource = "{world.source}"\nprovider = "local"\nstore = "{world.store}"\n'
        f'journal = "{world.journal}"\n{settings}\n[profiles.nightly.notify]\n'
        f'ping_url = "{hooks.url}/ping"\nwebhook_url = "{hooks.url}/hook"\n{table}\n'
    )
    path.chmod(0o600)
    return ["upload", "--json", "--config", str(path), "--profile", "nightly"]


def test_a_run_that_succeeds(world: World, hooks: Hooks) -> None:
    out = world.root / "out"
    script = f"import os, sys; open({str(out)!r}, 'w').write(os.environ.get('MY_KEY', 'no key') + sys.stdin.read())"
    command = json.dumps([sys.executable, "-I", "-c", script])
    options = configure(world, hooks, table=f'on_success = {command}\non_failure = "false"\nslack_url = "env:MY_KEY"')
    done = run(*options, env={"MY_KEY": f"{hooks.url}/slack"}).expect(0)
    assert hooks.pings == ["/start", ""]
    (told,) = hooks.objects
    assert (told["event"], told["profile"], told["exit_code"]) == ("run.success", "nightly", 0)
    assert told["summary"] == done.summary
    text = out.read_text()
    assert text.startswith("no key{")
    assert json.loads(text.removeprefix("no key")) == told
    assert not [path for path, _ in hooks.received if "slack" in path]  # only of failures


def test_a_run_whose_files_fail(world: World, hooks: Hooks) -> None:
    with serving(world.store, "--fault", "wrong-etag") as url:
        settings = f'provider = "magic-hour"\nbase_url = "{url}"\ntoken = "local-token"'
        options = configure(world, hooks)
        text = (world.root / "bulkup.toml").read_text()
        (world.root / "bulkup.toml").write_text(text.replace('provider = "local"', settings))
        run(*options).expect(1)
    assert hooks.pings == ["/start", "/1"]
    assert hooks.objects[0]["summary"]["reasons"][0]["status"] == "failed"


def test_a_run_that_cannot_start(world: World, hooks: Hooks) -> None:
    """For a reason that shows when the settings are read, or when it begins."""
    options = configure(world, hooks, settings='attempts = "many"')
    wrong = run(*options).expect(2, "attempts")
    options = configure(world, hooks)
    gone = run(*options, str(world.root / "gone")).expect(2, "gone")
    unwritable = run(*options, "--log-file", str(world.root / "none" / "log")).expect(2, "log_file")
    assert [told["exit_code"] for told in hooks.objects] == [2, 2, 2]
    for told, done in zip(hooks.objects, (wrong, gone, unwritable), strict=True):
        assert told["error"] == done.lines[-1]["message"]
        assert told["summary"] is None
    assert [ping for ping in hooks.pings if ping != "/start"] == ["/2", "/2", "/2"]


def test_a_run_that_a_signal_ends(world: World, hooks: Hooks) -> None:
    options = configure(world, hooks, settings="batch_size = 1\nrate_limit = 1")  # so that the run takes a while
    with started(*options) as process:
        wait_for(lambda: world.settled() > 0)
        process.send_signal(signal.SIGTERM)
        ended(process).expect(143)
    assert hooks.pings == ["/start", "/143"]
    assert hooks.objects[-1]["exit_code"] == 143
    assert hooks.objects[-1]["summary"]["files"]["uploaded"] > 0


def test_a_signal_ends_notifications(world: World, hooks: Hooks) -> None:
    """The exit code is that of the run, which was over."""
    hooks.answers.clear()
    with started(*configure(world, hooks, table='limit = "5m"')) as process:
        wait_for(lambda: len(hooks.objects) > 0)
        process.send_signal(signal.SIGTERM)
        ended(process).expect(0)
    assert hooks.pings == ["/start", ""]


@pytest.mark.parametrize("status", [401, 400])
def test_notifications_hold_no_token(status: int, world: World, hooks: Hooks) -> None:
    """Also where the service repeats it in its errors."""
    token = "mhk_live_hunter2_0123456789"
    refusal = json.dumps({"message": f"the key {token} is refused"}).encode()
    with answering(lambda path, body: (status, {"Content-Type": "application/json"}, refusal)) as url:
        options = configure(world, hooks, table=f'slack_url = "{hooks.url}/slack"')
        text = (world.root / "bulkup.toml").read_text()
        settings = f'provider = "magic-hour"\nbase_url = "{url}"\ntoken = "env:MY_KEY"'
        (world.root / "bulkup.toml").write_text(text.replace('provider = "local"', settings))
        run(*options, env={"MY_KEY": token}).expect(4)
    assert len(hooks.received) == 4  # start, end, webhook, text
    assert b"is refused" in b"".join(body for _, body in hooks.received)
    assert token.encode() not in b"".join(body for _, body in hooks.received)


@pytest.mark.parametrize("status", [500, 404])
def test_receivers_that_fail_change_nothing(status: int, world: World, hooks: Hooks) -> None:
    """Neither the exit code nor the results; each of them is one warning without its address."""
    hooks.status = status
    done = run(*configure(world, hooks, table='limit = "1.5s"\non_success = "false"')).expect(
        0, f"it answered {status}"
    )
    assert done.summary["files"]["uploaded"] == 12
    assert "on_success was not notified of the success of the run: it exited with status 1" in done.err
    assert SECRET not in done.err + done.out


def test_a_test_message(world: World, hooks: Hooks) -> None:
    options = configure(world, hooks)[2:]
    done = run("notify", "test", *options).expect(0)
    assert done.out.splitlines() == ["ping_url: delivered", "webhook_url: delivered"]
    assert hooks.objects[0]["test"] is True
    hooks.status = 404
    done = run("notify", "test", *options, "--as", "failure").expect(1)
    assert "webhook_url: not delivered: it answered 404" in done.out
    assert SECRET not in done.out
    run("notify", "test", *options, "--as", "start").expect(2, "--as")
    (world.root / "bulkup.toml").write_text("[profiles.nightly]\n")
    run("notify", "test", *options).expect(2, "there are no notifications to test")


def test_a_dry_run_notifies_nobody(world: World, hooks: Hooks) -> None:
    run(*configure(world, hooks), "--dry-run").expect(0)
    assert hooks.received == []
