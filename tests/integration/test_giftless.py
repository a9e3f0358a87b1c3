"""A Git LFS server that others wrote (giftless), and git's own client, which fetches the objects that bulkup sent."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from pipeline_world import read_tree

from bulkup import FileState, Settings, Summary, Uploader
from bulkup.journal import Reader

KEY = "a key of the tests that is long enough for HS256"
PAGE = Path(__file__).parents[2] / "docs/providers/git-lfs.md"
CONFIG = """
LEGACY_ENDPOINTS: false
AUTH_PROVIDERS:
  - factory: giftless.auth.jwt:factory
    options: {algorithm: HS256, private_key: "%s"}
PRE_AUTHORIZED_ACTION_PROVIDER:
  options: {private_key: "%s"}
TRANSFER_ADAPTERS:
  basic:
    options: {storage_options: {path: "%s"}}
"""
FILES = {
    "a.bin": b"first",
    "folder/b.bin": b"second" * 1000,
    "folder/same.bin": b"first",
    "large.bin": os.urandom(3 * 1024**2),
    "empty.bin": b"",
}


@dataclass(frozen=True)
class Giftless:
    """A server that runs. `environ` has the login in a netrc file, and hides the user's own configuration of git."""

    url: str
    folder: Path
    environ: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        return f"{self.url}/studio/assets.git/info/lfs"

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.folder / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    async def upload(self, journal: str = "journal", **settings: Any) -> Summary:
        values: dict[str, Any] = {
            "provider": "git-lfs",
            "base_url": self.endpoint,
            "source": (str(self.folder / "source"),),
        }
        given = Settings(**{**values, "journal": str(self.folder / journal), "processes": 1, "attempts": 2, **settings})
        async with Uploader(given, environ={}) as uploader:
            return await uploader.run()

    def git(self, *arguments: str, folder: str = "clone") -> str:
        (self.folder / folder).mkdir(exist_ok=True)
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder / folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def giftless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Giftless]:
    for program in ("git", "git-lfs"):
        assert shutil.which(program), f"{program} is missing: `make test` installs it"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = jwt.encode({"scopes": "obj:studio/assets/*", "exp": time.time() + 3600}, KEY, "HS256")
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login _jwt password {token}\n")
    netrc.chmod(0o600)
    hidden = {"HOME": str(tmp_path), "NETRC": str(netrc), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": str(tmp_path)}
    for name, value in hidden.items():
        monkeypatch.setenv(name, value)
    config = CONFIG % (KEY, KEY, tmp_path / "objects")
    environ = {**os.environ, "GIFTLESS_CONFIG_STR": config, "GIT_TERMINAL_PROMPT": "0"}
    log = (tmp_path / "giftless.log").open("wb")
    command = [sys.executable, "-m", "flask", "--app", "giftless.wsgi_entrypoint", "run", "--port", str(port)]
    with log, subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=log, stderr=log) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/", server, tmp_path / "giftless.log")
            yield Giftless(f"http://127.0.0.1:{port}", tmp_path, environ)
        finally:
            server.terminate()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    while True:
        assert server.poll() is None, log.read_text()
        try:
            httpx.get(url, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return


def script_of_the_page() -> str:
    """Return the script that the page about `git-lfs` shows."""
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(script)


async def test_git_lfs_fetches_what_was_pushed(giftless: Giftless) -> None:
    """Pointer files made from the manifest, as the page explains, are enough for git's own client."""
    giftless.write(FILES)
    summary = await giftless.upload()
    assert (summary.exit_code, summary.counters.uploaded, summary.error) == (0, len(FILES), None)
    with Reader(str(giftless.folder / "journal")) as reader:
        assert {row.status for row in reader.manifest()} == {FileState.UNVERIFIED}  # giftless answers no checksum
    manifest = subprocess.run(
        [sys.executable, "-m", "bulkup", "manifest", "--journal", str(giftless.folder / "journal")],
        capture_output=True,
        check=True,
    )
    (giftless.folder / "pointers.py").write_text(script_of_the_page())
    giftless.git("init", "-q")
    command = [sys.executable, str(giftless.folder / "pointers.py"), str(giftless.folder / "clone")]
    subprocess.run(command, input=manifest.stdout, check=True)
    giftless.git("config", "-f", ".lfsconfig", "lfs.url", giftless.endpoint)
    giftless.git("lfs", "install", "--local")
    giftless.git("lfs", "track", "*.bin")
    giftless.git("add", ".")
    giftless.git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "Add the assets")
    giftless.git("lfs", "pull")
    fetched = read_tree(giftless.folder / "clone")
    assert {name: fetched[os.fsencode(name)] for name in FILES} == FILES
    assert "OK" in giftless.git("lfs", "fsck")


async def test_what_the_server_has_is_not_sent_again(giftless: Giftless) -> None:
    """A journal that knows nothing learns it from the server. A file with other bytes is sent."""
    giftless.write(FILES)
    await giftless.upload()
    giftless.write({"new.bin": b"new"})
    summary = await giftless.upload("another journal")
    counters = summary.counters
    assert (summary.exit_code, counters.already_there, counters.uploaded) == (0, len(FILES), len(FILES) + 1)
    assert counters.bytes_sent == len(b"new")


async def test_a_refused_login_ends_the_run(giftless: Giftless) -> None:
    giftless.write({"a.bin": b"first"})
    token = jwt.encode({"scopes": "obj:studio/other/*", "exp": time.time() + 3600}, KEY, "HS256")
    summary = await giftless.upload(token=token)
    assert (summary.exit_code, summary.counters.remaining) == (4, 1)
    assert summary.error is not None
    assert token not in str(summary.error)
