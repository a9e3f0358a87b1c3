"""`bulkup dashboard` as a process: its address, retries of real runs, and runs that it controls."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_world import TOKEN, World, ended, run, serving, started, wait_for

from bulkup.cli.dashboard import retry_arguments

LATER = ("--exclude", "folder 3/", "--exclude", "folder 5/")


class Dashboard:
    """A dashboard under way, asked as its page does."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = process.stdout.readline().decode().strip()
        self._url, _, self._token = self.address.partition("#token=")

    def ask(self, path: str, value: Any = None) -> Any:
        """Return the answer to a request for data, or to an action with a value."""
        headers = {"Authorization": f"Bearer {self._token}", "Origin": self._url.rstrip("/")}
        headers |= {"Content-Type": "application/json"} if value is not None else {}
        body = json.dumps(value).encode() if value is not None else None
        with urllib.request.urlopen(urllib.request.Request(f"{self._url}api/{path}", body, headers)) as answer:
            return json.load(answer)

    def refused(self, path: str, value: Any = None) -> dict[str, str]:
        """Return the error of a request that is refused."""
        with pytest.raises(urllib.error.HTTPError) as raised:
            self.ask(path, value)
        with raised.value as answer:
            found: dict[str, str] = json.load(answer)["error"]
            return found


@contextlib.contextmanager
def dashboard(*options: str, env: dict[str, str] | None = None) -> Iterator[Dashboard]:
    with started("dashboard", "--no-open", *options, env=env) as process:
        yield Dashboard(process)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.fill(20, extensions=("mp4",))
    return world


def test_failed_files_are_found_and_retried(world: World) -> None:
    """The way of a user in the morning, without any other command."""
    with serving(world.store) as url:
        world.upload(*world.to(url), *LATER, env=TOKEN).expect(0)
    port = url.rpartition(":")[2]
    with serving(world.store, "--port", port, "--fault", "wrong-etag") as url:
        world.upload(*world.to(url), env=TOKEN).expect(1)
    failed = sorted(row["path"] for row in world.manifest() if row["status"] == "failed")

    with serving(world.store, "--port", port), dashboard("--journal", str(world.journal), env=TOKEN) as shown:
        (journal,) = shown.ask("overview")["journals"]
        address = f"journals/{journal['id']}"
        assert journal["last_run"]["missed"] == len(failed)
        (group,) = _ready(shown, f"{address}/groups")["groups"]
        assert group["files"] == len(failed)
        files = _ready(shown, f"{address}/files?state=missed")["files"]
        assert [file["path"] for file in files] == failed
        shown.ask(f"{address}/retry", {"files": [file["key"] for file in files]})
        wait_for(lambda: shown.ask("overview")["retries"][0]["state"] != "running")
        retry = shown.ask("overview")["retries"][0]
        assert (retry["state"], retry["exit_code"], retry["message"]) == ("ended", 0, "")
        wait_for(lambda: _ready(shown, f"{address}/files?state=missed")["files"] == [])
        file = shown.ask(f"{address}/files/" + "/".join(map(str, files[0]["key"])))
        assert file["status"] == "uploaded"
    assert world.verify() == 20


def test_a_run_is_watched_paused_limited_and_stopped(world: World) -> None:
    world.fill(100, seed=2, least=20_000)
    with started("upload", str(world.source), *world.local, "--bwlimit", "50k") as process:
        wait_for(lambda: world.settled() > 0)
        with dashboard("--journal", str(world.journal)) as shown:
            wait_for(lambda: shown.ask("overview")["journals"][0]["state"] == "running")
            address = f"journals/{shown.ask('overview')['journals'][0]['id']}"
            assert shown.ask(f"{address}/control", {"do": "pause"})["state"] == "paused"
            limited = shown.ask(f"{address}/control", {"do": "bwlimit", "value": None})
            assert limited["limits"]["bytes_per_second"] is None
            assert shown.ask(f"{address}/control", {"do": "concurrency", "value": 3})["limits"]["concurrency"] == 3
            assert "bwlimit" in shown.refused(f"{address}/control", {"do": "bwlimit", "value": "fast"})["message"]
            assert shown.refused(f"{address}/control", {"do": "settings"})["message"]
            shown.ask(f"{address}/control", {"do": "stop"})
            ended(process).expect(130)
            wait_for(lambda: shown.ask("overview")["journals"][0]["last_run"]["word"] == "Stopped")
            assert "no run" in shown.refused(f"{address}/control", {"do": "pause"})["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_a_signal_while_a_page_is_open(world: World, number: signal.Signals) -> None:
    world.upload(*world.local).expect(0)
    with dashboard("--journal", str(world.journal)) as shown:
        port = int(shown.address.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as page:
            token = shown.address.partition("#token=")[2]
            head = f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
            page.sendall(head.encode())
            assert b"200 OK" in page.recv(100)
            shown.process.send_signal(number)
            done = ended(shown.process).expect(0)
        assert token not in done.out + done.err


def test_the_address_is_in_no_argument_of_the_browser(world: World, tmp_path: Path) -> None:
    """Other users of the machine can read arguments. The browser gets a private file that leads to the page."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        (programs / name).write_text(
            f'#!/bin/sh\necho "$1" > {tmp_path}/given.new\nmv {tmp_path}/given.new {tmp_path}/given\n'
        )
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    with started("dashboard", "--open", env=env) as process:
        shown = Dashboard(process)
        wait_for((tmp_path / "given").exists)
        path = Path((tmp_path / "given").read_text().strip())
        assert shown.address in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        process.send_signal(signal.SIGINT)
        ended(process).expect(0)
        assert not path.exists()


def test_a_port_in_use_and_a_missing_journal_are_explained(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        run("dashboard", "--no-open", "--port", port).expect(7, "in use by another program", "--port 0")
    run("dashboard", "--no-open", "--journal", str(world.root / "none")).expect(2, "there is no journal at")


def test_a_journal_of_a_profile_is_continued_by_its_profile(world: World, tmp_path: Path) -> None:
    config, state = tmp_path / "bulkup.toml", tmp_path / "state"
    config.write_text(f'[profiles.nightly]\nsource = ["{world.source}"]\nprovider = "local"\nstore = "{world.store}"\n')
    env = {"XDG_STATE_HOME": str(state)}
    run("upload", "--profile", "nightly", "--config", str(config), env=env).expect(0)
    journal = str(state / "bulkup" / "nightly.sqlite3")
    arguments = retry_arguments(journal, os.fsencode(world.source))
    assert arguments == ["--profile", "nightly", "--config", str(config), str(world.source)]
    again = run("retry", *arguments, "--json", env=env).expect(0)
    assert again.summary["files"]["found"] == 0
    with dashboard(env=env) as shown:
        (found,) = shown.ask("overview")["journals"]
        assert (found["name"], found["profile"], found["path"]) == ("nightly", "nightly", journal)


def _ready(shown: Dashboard, path: str) -> Any:
    """Return the answer to a request for which the journal must have been read."""
    value: Any = {"reading": 0}
    while value["reading"] is not None:
        value = shown.ask(path)
    return value
