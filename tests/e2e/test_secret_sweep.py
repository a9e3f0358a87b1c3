"""The installed command prints no secret: in no log, error, traceback, table, export or journal.

The services of these tests quote back every request that they receive, and fail in many ways.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from e2e_world import Ended, World, run
from secret_search import found_in, made_up, ways

AMZ = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=3600&X-Amz-Date=20300101T000000Z&X-Amz-Signature="
# The answer to the first PUT of each file, by the file's number. A second PUT is stored.
FIRST = (
    "stored",
    "expired",
    "refused",
    "echo",
    "wrong etag",
    "no answer",
    "cut answer",
    "garbage",
    "slow down",
    "redirect",
    "huge",
)


def everything_of(handler: BaseHTTPRequestHandler) -> str:
    """Return a message that quotes a whole request, each part in every encoding."""
    parts = [handler.path, *handler.path.split("=")[1:], *handler.headers.values()]
    parts += [value.removeprefix("Bearer ") for value in handler.headers.values()]
    return " ".join(way for part in parts for way in sorted(ways(part)))


@dataclass
class Service:
    """A service in Magic Hour's format, with its storage. `secrets` are those it has issued; `api` is the way in which
    its API fails."""

    port: int = 0
    secrets: list[str] = field(default_factory=list)
    api: str = ""
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def upload_url(self, number: int, root: str | None = None) -> str:
        signature = secrets.token_hex(32) if number % 2 else made_up()
        self.secrets.append(signature)
        return f"{root or self.url}/put/{number}?{AMZ}{quote(signature, safe='')}"

    def tickets(self, asked: list[dict[str, str]], root: str | None) -> bytes:
        start = len(self.secrets)
        items = [
            {
                "upload_url": self.upload_url(start + number, root),
                "file_path": f"api-assets/{start + number}.{item['extension']}",
                "expires_at": "2999-01-01T00:00:00Z",
            }
            for number, item in enumerate(asked)
        ]
        return json.dumps({"items": items}).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers requests for a service."""

    protocol_version = "HTTP/1.1"
    service: Service

    def do_POST(self) -> None:
        """Issue URLs, or fail."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service, quoted = self.service, everything_of(self)
        if service.api == "unauthorized":
            self.answer(401, json.dumps({"message": quoted}).encode())
        elif service.api == "forbidden":
            self.answer(403, json.dumps({"message": "x" * 200 + quoted}).encode())
        elif service.api == "malformed":
            self.answer(200, json.dumps({"items": [{"upload_url": service.upload_url(1)}], quoted: quoted}).encode())
        elif service.api == "not json":
            self.answer(200, f"<html>{html.escape(quoted)}</html>".encode(), {"Content-Type": f"text/{quoted[:30]}"})
        elif service.api == "redirect":
            self.answer(307, b"", {"Location": service.upload_url(1)})
        else:
            self.answer(200, service.tickets(body["items"], service.api or None))

    def do_PUT(self) -> None:
        """Store the file, or fail at its first PUT."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        name = re.sub(r"\D", "", data.decode())
        self.service.seen[name] = count = self.service.seen.get(name, 0) + 1
        what = FIRST[int(name) % len(FIRST)] if count == 1 else "stored"
        if what in ("no answer", "cut answer", "garbage"):
            self.break_off(what)
        else:
            self.answer_put(what, hashlib.md5(data, usedforsecurity=False).hexdigest())

    def break_off(self, what: str) -> None:
        """Send nothing, half an answer or nonsense, and close the connection."""
        cut = f"HTTP/1.1 500 X\r\nX-Echo: {quote(self.path)}\r\nContent-Length: 9999\r\n\r\nabc"
        said = {"no answer": "", "cut answer": cut, "garbage": f"{everything_of(self)}\r\n\r\n"}
        self.wfile.write(said[what].encode())
        self.close_connection = True

    def answer_put(self, what: str, md5: str) -> None:
        """Send the answer to a PUT."""
        quoted = everything_of(self)
        told = {
            "expired": (403, "AccessDenied", f"Request has expired {quoted}"),
            "refused": (403, "InvalidToken", quoted),
            "echo": (500, "InternalError", quoted[:400]),
            "slow down": (503, "SlowDown", self.path),
            "huge": (500, "InternalError", self.path + "x" * 100_000),
        }
        if what in told:
            status, code, message = told[what]
            self.refuse(status, code, message)
        elif what == "redirect":
            self.answer(307, b"", {"Location": self.service.upload_url(1)})
        else:
            self.answer(200, b"", {"ETag": f'"{md5 if what == "stored" else "0" * 32}"'})

    def refuse(self, status: int, code: str, message: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>{message}</Message>"
        self.answer(status, body.encode(), {"Retry-After": "0"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    handler = type("_Handler", (Handler,), {"service": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Sweep:
    """A user of the service whose key is secret, and the output of all commands so far."""

    world: World
    service: Service
    token: str
    said: list[str] = field(default_factory=list)

    def upload(self, *options: str, **env: str) -> Ended:
        """Upload at the most detailed log level."""
        quick = ("--retry-for", "20s", "--log-level", "debug", *options)
        return self.run("upload", str(self.world.source), *self.world.to(self.service.url), *quick, **env)

    def run(self, *arguments: str, **env: str) -> Ended:
        done = run(*arguments, env={"BULKUP_TOKEN": self.token, **env}, cwd=self.world.root)
        self.said += [done.out, done.err]
        return done

    def assert_clean(self) -> None:
        """Assert that no secret is in any output, nor in any file except the user's configuration."""
        known = [self.token, *self.service.secrets]
        assert len(known) > 1
        assert found_in("\n".join(self.said), known) == []
        for path in self.world.root.rglob("*"):
            if path.is_file() and path.suffix != ".toml" and path.parent != self.world.source:
                assert found_in(path.read_bytes().decode("latin-1"), known) == [], path


@pytest.fixture
def sweep(tmp_path: Path, service: Service) -> Sweep:
    world = World(tmp_path)
    for number in range(2 * len(FIRST)):
        (world.source / f"{number}.mp4").write_bytes(f"file {number}".encode())
    return Sweep(world, service, made_up())


def test_a_run_that_meets_every_fault_and_finishes(sweep: Sweep) -> None:
    """Its log, its JSON lines, its exports and its journal contain no secret."""
    done = sweep.upload("--json", "--log-format", "json").expect(0)
    assert done.summary["files"]["uploaded"] == 2 * len(FIRST)
    assert done.err.count('"attempt.failed"') > len(FIRST)
    sweep.run("manifest", "--journal", str(sweep.world.journal), "--format", "csv").expect(0)
    sweep.assert_clean()


def test_the_search_finds_a_secret(sweep: Sweep) -> None:
    """The search finds a secret in each encoding. Otherwise the other tests would show nothing."""
    sweep.service.upload_url(1)
    for way in ways(sweep.token):
        sweep.said = [f"before {way} after"]
        with pytest.raises(AssertionError):
            sweep.assert_clean()


@pytest.mark.slow
def test_every_command_after_a_run(sweep: Sweep) -> None:
    """Each command in both forms. Live tickets are in the journal and nowhere else."""
    journal = ("--journal", str(sweep.world.journal))
    sweep.upload("--dry-run").expect(0)
    sweep.upload("--dry-run", "--json").expect(0)
    sweep.upload("--attempts", "1").expect(1)
    for command in ("status", "runs", "orphans"):
        sweep.run(command, *journal).expect(0)
        sweep.run(command, "--json", *journal).expect(0)
    for form in ("csv", "jsonl"):
        sweep.run("manifest", *journal, "--format", form, "--output", str(sweep.world.root / form)).expect(0)
    sweep.upload().expect(0)
    sweep.assert_clean()


@pytest.mark.slow
@pytest.mark.parametrize("api", ["unauthorized", "forbidden", "malformed", "not json", "redirect"])
@pytest.mark.parametrize("form", ["console", "json"])
def test_every_way_a_service_fails(sweep: Sweep, api: str, form: str) -> None:
    """Each ends the run with 4 and a message."""
    sweep.service.secrets.append("never handed out here")
    sweep.service.api = api
    sweep.upload("--attempts", "1", "--log-format", form, "--json").expect(4)
    sweep.assert_clean()


@pytest.mark.slow
def test_storage_that_is_not_there(sweep: Sweep) -> None:
    """A closed port, and an unknown name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for root in (closed, "http://no-such-host.invalid"):
        sweep.service.api = root
        sweep.upload("--attempts", "1", "--retry-for", "1s", "--json").expect(4)
    # Live tickets are in the journal, because the next run uses them.
    sweep.world.journal.unlink()
    for side in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{sweep.world.journal}{side}")
    sweep.assert_clean()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["Transport.call", "Transport.send", "LeanSender.exchange"])
def test_a_fault_of_the_program(sweep: Sweep, method: str) -> None:
    """A traceback is printed from the middle of code that handles secrets."""
    broken = sweep.world.root / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "from bulkup.transport import Transport\n"
        "from bulkup.transport.lean import LeanSender\n"
        "def crash(self, *a, **k): raise ArithmeticError(f'{a} {k} {vars(self)}')\n"
        f"{method} = crash\n"
    )
    done = sweep.upload("--json", PYTHONPATH=str(broken))
    assert done.code == 7
    assert "ArithmeticError" in done.err
    sweep.service.secrets.append("never handed out here")
    for path in sweep.world.root.glob("journal*"):
        path.unlink()  # it has the tickets of an interrupted run
    sweep.assert_clean()


@pytest.mark.slow
def test_the_configuration(sweep: Sweep) -> None:
    """Secrets as a literal, from a command and from a file, and errors in and beside one."""
    root, token = sweep.world.root, json.dumps(sweep.token)
    # This is no configuration. Its suffix keeps the file out of the upload.
    (root / "command.toml").write_text(sweep.token)
    (root / "bulkup.toml").write_text(
        f"[profiles.literal]\nprovider='magic-hour'\nsource='source'\ntoken={token}\n"
        f"[profiles.command]\nprovider='magic-hour'\nsource='source'\ntoken='command:cat command.toml'\n"
        f"[profiles.file]\nprovider='magic-hour'\nsource='source'\ntoken='file:command.toml'\n"
        f"[profiles.wrong]\nprovider='magic-hour'\nsource='source'\ntoken=[{token}]\nconcurrency='x'\n"
        f"[profiles.broken]\nprovider='magic-hour'\nsource='source'\ntoken='command:false {sweep.token[:24]}'\n"
        f"[profiles.url]\nprovider='magic-hour'\nsource='source'\nbase_url='https://u:{sweep.token[:24]}@h'\ntoken='x'\n"
    )
    sweep.service.secrets.append("never handed out here")
    for name in ("literal", "command", "file", "broken"):
        sweep.run("config", "show", "--profile", name).expect(0)
        sweep.run("config", "show", "--profile", name, "--json").expect(0)
        sweep.run("config", "check", "--profile", name, "--run-commands")
    for name in ("wrong", "url"):
        sweep.run("config", "show", "--profile", name).expect(2)
    sweep.run("config", "check").expect(2)
    sweep.run("upload", "--profile", "broken").expect(2)
    sweep.assert_clean()
