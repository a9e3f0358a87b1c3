"""`bulkup serve` as a process: its output, its exits, its counters after a kill, TLS, and `ServerProcess`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from bulkup.errors import MachineError
from bulkup.localserver import FaultSpec, LocalServer, ServerConfig, ServerProcess
from bulkup.localserver.faults import FaultName
from bulkup.localserver.server_process import arguments


@contextlib.contextmanager
def serving(store: Any, *options: Any, stdin: Any = subprocess.DEVNULL) -> Any:
    command = [sys.executable, "-m", "bulkup", "serve", f"--store={store}", *options]
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stderr
        try:
            line = json.loads(child.stdout.readline() or "null")
            assert line, child.stderr.read()
            yield child, line
        finally:
            child.kill()


def post(url: Any, body: Any, header: Any = "Bearer local-token", context: Any = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": header})
    with urllib.request.urlopen(request, context=context) as answer:
        return json.load(answer)


def put(url: Any, data: Any, context: Any = None) -> Any:
    request = urllib.request.Request(url, data, {"Content-Type": "text/plain"}, method="PUT")
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def stats(url: Any) -> Any:
    with urllib.request.urlopen(f"{url}/-/stats") as answer:
        return json.load(answer)


def ticket(url: Any, **options: Any) -> Any:
    return post(f"{url}/local/v1/tickets", {"files": [{"extension": "", "size": 1}]}, **options)["tickets"][0]["url"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_one_line_and_exits_cleanly_on_a_signal(tmp_path: Path, number: Any) -> None:
    with serving(tmp_path / "s") as (child, line):
        assert line["event"] == "listening"
        assert line["url"].startswith("http://127.0.0.1:")
        assert line["store"] == str(tmp_path / "s")
        assert put(ticket(line["url"]), b"x") == 200
        child.send_signal(number)
        out, errors = child.communicate(timeout=30)
        assert (child.returncode, out, errors) == (0, "", "")


def test_counters_and_urls_survive_a_kill(tmp_path: Path) -> None:
    with serving(tmp_path) as (child, line):
        url = ticket(line["url"])
        put(url, b"12345")
        child.kill()
        child.wait()
    with serving(tmp_path, f"--port={line['url'].rpartition(':')[2]}") as (child, again):
        assert again["url"] == line["url"]
        assert stats(line["url"]) == {
            "presign_calls": 1,
            "tickets": 1,
            "puts_completed": 1,
            "puts_failed": 0,
            "bytes": 5,
        }
        assert put(url, b"123") == 200


def test_it_exits_when_its_standard_input_closes(tmp_path: Path) -> None:
    with serving(tmp_path, "--until-stdin-closes", stdin=subprocess.PIPE) as (child, line):
        child.stdin.write("ignored\n")
        child.stdin.flush()
        assert stats(line["url"])["tickets"] == 0
        child.stdin.close()
        assert child.wait(30) == 0


def test_every_option_reaches_the_server(tmp_path: Path) -> None:
    options = ["--token=t0", "--api-key=k0k0k0k0k0k0", "--url-ttl=5", "--fault=short-answer,first=1", "--seed=3"]
    options += ["--access-key=a", "--secret-key=s", "--project-id=p", "--host=localhost"]
    with serving(tmp_path, *options) as (_, line):
        assert line["url"].startswith("http://localhost:")
        body = {"files": [{"extension": "", "size": 1}]}
        assert post(f"{line['url']}/local/v1/tickets", body, "Bearer t0")["tickets"] == []
        assert post(f"{line['url']}/local/v1/tickets", body, "Bearer t0")["tickets"][0]["expires_in"] == 5
        assert post(f"{line['url']}/ugc/graphql", {"query": "{ __typename }"}, "k0k0k0k0k0k0")["data"]


def test_the_credentials_of_the_closing_apis_reach_the_server(tmp_path: Path) -> None:
    options = ["--iam-domain=d", "--iam-user=u", "--iam-password=p", "--client-id=i", "--client-secret=c"]
    with serving(tmp_path, *options, "--project-id=q", "--token=t0") as (_, line):
        user = {"domain": {"name": "d"}, "name": "u", "password": "p"}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"id": "q"}}}}
        assert post(f"{line['url']}/v3/auth/tokens", body)["token"]["project"]["id"] == "q"
        form = b"grant_type=client_credential&client_id=i&client_secret=c&scope=mediahub"
        with urllib.request.urlopen(f"{line['url']}/v1/oauth2/token/", form) as answer:
            assert json.load(answer)["expires_in"] == "7200"
        uploads = f"{line['url']}/v1/files/uploads/?object_key=a&pipeline_id=b"
        assert post(uploads, {}, "Bearer t0")["upload"]["status"] == "UPLOADING"


def test_a_process_is_started_with_every_setting(tmp_path: Path) -> None:
    faults = (FaultSpec(FaultName.EXPIRED_URL),)
    config = ServerConfig(store=str(tmp_path), url_ttl=1, tls=("a", "b"), faults=faults, prefer_last_port=True)
    given = {option.partition("=")[0].removeprefix("--").replace("-", "_") for option in arguments(config)}
    settings = {setting.name for setting in dataclasses.fields(ServerConfig)}
    assert settings - {"faults"} <= given
    assert "fault" in given


def test_it_serves_https(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(context)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    options = ["--tls", str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")]
    with serving(tmp_path / "s", *options) as (_, line):
        assert line["url"].startswith("https://127.0.0.1:")
        url = ticket(line["url"], context=context)
        assert url.startswith(line["url"])
        assert put(url, b"x", context) == 200


async def test_a_server_process_serves_until_it_is_stopped(tmp_path: Path) -> None:
    faults = (FaultSpec(FaultName.EXPIRED_URL, 1.0, 1),)
    config = ServerConfig(store=str(tmp_path), token="a-token", url_ttl=7, faults=faults, prefer_last_port=True)
    async with ServerProcess(config) as first:
        assert os.getsid(first.pid) == first.pid != os.getsid(0)
        url = await anyio.to_thread.run_sync(lambda: ticket(first.url, header="Bearer a-token"))
        assert await anyio.to_thread.run_sync(put, url, b"x") == 403
        assert await anyio.to_thread.run_sync(put, url, b"x") == 200
    with pytest.raises(urllib.error.URLError):
        await anyio.to_thread.run_sync(stats, first.url)
    async with ServerProcess(config) as second:
        assert second.url == first.url
        assert (await anyio.to_thread.run_sync(stats, second.url))["puts_completed"] == 1


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be used"):
        async with ServerProcess(ServerConfig(store=str(tmp_path / "file"))):
            pass


async def test_a_server_that_does_not_start_in_time_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no error output"):
        async with ServerProcess(ServerConfig(store=str(tmp_path)), start_timeout=0.05):
            pass


def test_the_server_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent killed by SIGKILL cannot stop the child, which exits when the pipe closes."""
    script = """if True:
        import anyio, sys
        from bulkup.localserver import ServerConfig, ServerProcess
        async def main():
            async with ServerProcess(ServerConfig(store=sys.argv[1])) as server:
                print(server.pid, flush=True)
                await anyio.sleep_forever()
        anyio.run(main)
    """
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()

    async def lock_is_free() -> None:
        # Waits for the end of the child, which holds the store's lock.
        async with LocalServer(ServerConfig(store=str(tmp_path))):
            pass

    anyio.run(lock_is_free)


async def test_nothing_is_imported_from_where_a_run_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is uploaded can contain a file named like one of the imported modules."""
    (tmp_path / "orjson.py").write_text(f"open({str(tmp_path / 'was here')!r}, 'w'); raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    async with ServerProcess(ServerConfig(store=str(tmp_path / "store"))) as server:
        assert server.url
    assert not (tmp_path / "was here").exists()
