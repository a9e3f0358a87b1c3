"""Unreachable and faulty services: one clear message, exit code 4, and no file is lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import resource
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e_world import TOKEN, Answer, Ended, World, answering, puts, serving
from sending_ways import Way, every

JSON = {"Content-Type": "application/json"}
# One attempt shows the same as five, and is faster.
QUICK = ("--attempts", "1")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with a few files."""
    world = World(tmp_path)
    world.fill(3)
    return world


def refused(world: World, url: str, *said: str) -> Ended:
    """Upload to `url`. The run must end with status 4 and one message, and leave all files to the next run."""
    done = world.upload(*world.to(url), *QUICK, env=TOKEN).expect(4, *said)
    messages = [line for line in done.err.splitlines() if line.startswith("bulkup: ")]
    assert len(messages) == 1, done
    assert done.summary["files"]["remaining"] == 3
    return done


def items(*urls: str, first: int = 0) -> Callable[[str, bytes], Answer]:
    """Return an answer to a presign call in Magic Hour's format, with these URLs. Ids are numbers from `first`."""

    def answer(_: str, body: bytes) -> Answer:
        asked = json.loads(body)["items"]
        entries = [
            {
                "upload_url": url,
                "file_path": f"api-assets/{first + number}.{asked[number]['extension']}",
                "expires_at": "2999-01-01T00:00:00Z",
            }
            for number, url in enumerate(urls)
        ]
        return 200, JSON, json.dumps({"items": entries}).encode()

    return answer


def test_a_wrong_path_in_the_base_url(world: World) -> None:
    """The first call is answered with 404, and the hint names base_url."""
    with serving(world.store) as url:
        refused(world, f"{url}/v1/wrong", "404", "base_url")


def test_a_name_that_cannot_be_found(world: World) -> None:
    """A DNS failure names the host."""
    refused(world, "http://no-such-host.invalid", "no-such-host.invalid", "base_url")


def test_a_port_without_a_server(world: World) -> None:
    """A refused connection names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused(world, f"http://127.0.0.1:{port}", f"cannot connect to http://127.0.0.1:{port}")


def test_a_storage_host_that_cannot_be_reached(world: World) -> None:
    """The service names it, so no setting is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    stores = [f"http://127.0.0.1:{port}/{number}" for number in range(3)]
    with answering(items(*stores)) as url:
        done = world.upload(*world.to(url), "--retry-for", "1", env=TOKEN).expect(4, f"http://127.0.0.1:{port}")
    assert "storage host that the service's upload URLs name" in done.err
    assert "base_url" not in done.err
    assert done.summary["files"]["remaining"] == 3


@contextmanager
def saying(text: bytes) -> Iterator[str]:
    """Run a server that is no HTTP server: it sends a text to each client and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(text)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("text", [b"SSH-2.0-OpenSSH_9.6\r\n", b""])
def test_a_server_that_does_not_speak_http(world: World, text: bytes) -> None:
    """The port belongs to another protocol, or to none."""
    with saying(text) as url:
        refused(world, url, url, "does not answer in HTTP" if text else "broke")


def test_an_api_that_answers_html(world: World) -> None:
    """The answer is a web page with status 200, such as that of a captive portal."""
    with answering(lambda *_: (200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")) as url:
        refused(world, url, "text/html, not JSON", "base_url")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([], "JSON that is not an object"),
        ({}, "no list in `items`"),
        ({"items": None}, "no list in `items`"),
        ({"items": [1, 2, 3]}, "'file_path'"),
        ({"items": []}, "a list of 0 in `items`, and the number of files was 3"),
        ({"items": [{"upload_url": 7, "file_path": "a.mp4", "expires_at": "x"}] * 3}, "Magic Hour answered"),
    ],
)
def test_json_of_the_wrong_shape(world: World, answer: Any, said: str) -> None:
    """Every wrong shape is refused, and no file gets a wrong URL."""
    with answering(lambda *_: (200, JSON, json.dumps(answer).encode())) as url:
        refused(world, url, said)


@pytest.mark.parametrize(
    "bad",
    [
        "ftp://storage.example/a",
        "file:///etc/passwd",
        "http://storage.example/a\r\nX-Evil: 1",
        "http://storage.example/a b",
        "http://user:password@storage.example/a",
        "http://[::1",
        "//storage.example/a",
    ],
)
def test_an_upload_url_that_may_not_be_used(world: World, bad: str) -> None:
    """URLs with another scheme, control characters or a user part are not used and not repeated in messages."""
    with answering(items(bad, bad + "2", bad + "3")) as url:
        done = refused(world, url, "an upload URL")
    assert "storage.example" not in done.err
    assert "password" not in done.err


def test_the_same_url_for_two_files(world: World) -> None:
    """The answer is refused, because one file would overwrite the other."""
    with answering(items(*["http://127.0.0.1:9/a"] * 3)) as url:
        refused(world, url, "the same id or URL for two files")


@pytest.mark.parametrize("way", every())
def test_storage_that_redirects_to_another_scheme(world: World, way: Way) -> None:
    """The redirect is not followed. The files fail and the run continues, because the API works."""

    def answer(path: str, body: bytes) -> Answer:
        if path.startswith("/put"):
            return 307, {"Location": "ftp://storage.example/x"}, b""
        urls = [f"{where[0]}/put/{number}?X-Amz-Signature=verysecret{number}" for number in range(3)]
        return items(*urls)(path, body)

    where: list[str] = []
    for file in world.source.rglob("*.*"):
        file.write_bytes(file.read_bytes() + b"x" * way.least)
    with answering(answer) as url:
        where.append(url)
        done = world.upload(*world.to(url), *QUICK, *way.options, env=TOKEN).expect(1, "redirected")
    assert done.summary["files"]["failed"] == 3
    assert "verysecret" not in done.out + done.err


@pytest.mark.parametrize("sender", ["lean", "aiohttp"])
def test_more_storage_hosts_than_descriptors(world: World, sender: str) -> None:
    """Each file has a host of its own. Idle connections are closed before descriptors run out."""
    world.fill(300, extensions=("mp4",))

    def answer(path: str, body: bytes) -> Answer:
        if path.startswith("/put"):
            return 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}, b""
        count, port = len(json.loads(body)["items"]), where[0].rpartition(":")[2]
        with lock:
            first = asked[0]
            asked[0] += count
        urls = [f"http://127.0.{n // 200}.{n % 200 + 1}:{port}/put/{n}" for n in range(first, first + count)]
        return items(*urls, first=first)(path, body)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))

    where, asked, lock = list[str](), [0], threading.Lock()
    with answering(answer, listen="0.0.0.0") as url:
        where.append(url)
        done = world.upload(*world.to(url), "--sender", sender, env=TOKEN, preexec_fn=limit).expect(0)
    assert done.summary["files"]["uploaded"] == 303


LONG = "long" * 15_000
LONG_ANSWERS: dict[str, Answer] = {
    "redirect to a dead port": (307, {"Location": f"http://127.0.0.1:9/{LONG[:8000]}"}, b""),
    "redirect of 60 KB": (307, {"Location": f"/put/{LONG}"}, b""),
    "redirect to an invalid URL": (307, {"Location": f"http://{LONG[:8000]}/"}, b""),
    "error document": (400, {}, f"<Error><Code>{LONG}</Code><Message>{LONG}</Message></Error>".encode()),
    "status line": ((400, LONG), {}, b""),
    "web page": (200, {"Content-Type": f"text/html; {LONG}"}, b"<html>" + LONG.encode()),
    "ETag": (200, {"ETag": f'"{LONG}"'}, b""),
    "Retry-After": (503, {"Retry-After": LONG}, b""),
}


@pytest.mark.parametrize("way", every())
def test_long_texts_of_storage_are_not_repeated(world: World, way: Way) -> None:
    """Neither in messages nor in rows of the journal."""

    def answer(path: str, body: bytes) -> Answer:
        if path.startswith("/put/"):
            number = path.removeprefix("/put/").partition("?")[0]
            return answers[int(number) % len(answers)] if number.isdecimal() else (200, {}, b"")
        asked = len(json.loads(body)["items"])
        return items(*(f"{where[0]}/put/{number}" for number in range(asked)))(path, body)

    answers, where = list(LONG_ANSWERS.values()), list[str]()
    world.fill(len(answers), least=way.least, extensions=("mp4",))
    with answering(answer) as url:
        where.append(url)
        options = (*way.options, "--log-level", "debug", "--retry-for", "2")
        done = world.upload(*world.to(url), *QUICK, *options, env=TOKEN)
    assert done.code in (1, 4), done
    assert max(len(line) for line in (done.out + done.err).splitlines()) < 3000
    with contextlib.closing(sqlite3.connect(world.journal)) as journal:
        rows = journal.execute("SELECT * FROM files").fetchall()
    assert max(len(str(value)) for row in rows for value in row) < 1000


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (400, JSON, json.dumps({"message": LONG}).encode()),
        ((402, LONG[:8000]), {"Content-Type": LONG[:8000]}, LONG.encode()),
        (200, {"Content-Type": LONG[:8000]}, LONG.encode()),
        (307, {"Location": f"/{LONG[:8000]}"}, b""),
        (200, JSON, json.dumps({"items": [{"upload_url": f"{LONG}://", "file_path": "a.mp4"}] * 3}).encode()),
    ],
)
def test_long_texts_of_the_api_are_not_repeated(
    world: World, status: int | tuple[int, str], headers: Mapping[str, str], body: bytes
) -> None:
    with answering(lambda *_: (status, headers, body)) as url:
        done = world.upload(*world.to(url), *QUICK, "--log-level", "debug", env=TOKEN)
    assert done.code in (3, 4), done
    assert max(len(line) for line in (done.out + done.err).splitlines()) < 3000
    with contextlib.closing(sqlite3.connect(world.journal)) as journal:
        rows = journal.execute("SELECT * FROM files").fetchall()
    assert max((len(str(value)) for row in rows for value in row), default=0) < 1000


def test_a_key_that_is_refused_half_way(world: World) -> None:
    """The run ends with 4 and keeps the uploaded files. A run with a valid key uploads the rest."""
    world.fill(40)
    options = ("--batch-size", "10", "--calls-in-flight", "1")
    with serving(world.store) as url:
        calls = [0]

        def gateway(path: str, body: bytes) -> Answer:
            calls[0] += 1
            if calls[0] > 2:
                return 401, JSON, b'{"message": "Unauthorized"}'
            return forwarded(url + path, body)

        with answering(gateway) as between:
            first = world.upload(*world.to(between), *options, env=TOKEN).expect(4, "credentials are refused").summary
            assert 0 < first["files"]["uploaded"] <= 20  # files without a worker yet are left to the next run
            calls[0] = -1000
            second = world.upload(*world.to(between), *options, env=TOKEN).expect(0).summary
            assert second["files"]["skipped"] == first["files"]["uploaded"]
    world.verify()


def forwarded(url: str, body: bytes) -> Answer:
    """Return the answer of the real server to the same request."""
    import urllib.request

    request = urllib.request.Request(url, body, {"Authorization": "Bearer local-token", **JSON})
    with urllib.request.urlopen(request) as answer:
        return answer.status, JSON, answer.read()


def test_a_host_that_is_not_allowed(world: World) -> None:
    """`allowed_hosts` applies to storage. Nothing is sent, and the next run continues once the host is allowed."""
    with serving(world.store) as url:
        done = world.upload(*world.to(url), "--allowed-hosts", "storage.example", env=TOKEN)
        done.expect(4, "127.0.0.1, which allowed_hosts does not name")
        assert done.summary["files"]["remaining"] == 3
        assert puts(url) == 0
        world.upload(*world.to(url), env={**TOKEN, "BULKUP_ALLOWED_HOSTS": "storage.example,127.0.0.1"}).expect(0)
    assert world.verify() == 3
