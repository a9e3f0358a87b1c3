"""Work that a command postpones, so that it starts quickly.

Processes that list their modules run with -I: the environment could add some, as it does when coverage is measured.
"""

from __future__ import annotations

import gc
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from bulkup.cli import app
from bulkup.errors import UsageError
from bulkup.helpers.garbage_collector import disable_gc
from bulkup.transport import tls
from bulkup.transport.tls import TlsVerification


@pytest.fixture
def _collector() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.usefixtures("_collector")
def test_garbage_collection_is_on_once_the_command_is_loaded() -> None:
    disable_gc()
    assert not gc.isenabled()
    app.load_command("status")
    assert gc.isenabled()


def test_certificate_authorities_are_read_once_and_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run over plain HTTP needs none, and both clients share them."""
    made: list[str | None] = []

    def make(ca_file: str | None) -> ssl.SSLContext:
        made.append(ca_file)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(tls, "tls_context", make)
    verification = TlsVerification(None)
    assert verification.for_aiohttp("http://api/", None) is True
    assert verification.for_aiohttp("http://api/", "http://proxy/") is True
    assert made == []
    assert verification.for_aiohttp("HTTPS://api/", None) is verification.context
    assert verification.for_aiohttp("http://api/", "https://proxy/") is verification.context
    assert made == [None]


_AUTHORITIES = """
import ssl, sys
from bulkup.cli import app, entry
if sys.argv[1] == "upload":
    sys.argv = ["bulkup", "upload", "/missing", "--provider", "magic-hour"]
    assert entry.run_command_line() == 2
else:
    app.load_command(sys.argv[1])
import aiohttp.connector
from bulkup.transport.tls import TlsVerification
own = TlsVerification(None).for_aiohttp("https://api/", None)
default = aiohttp.connector._SSL_CONTEXT_VERIFIED
print(*(len(context.get_ca_certs()) for context in (own, ssl.create_default_context(), default)))
print(*(context.verify_mode is ssl.CERT_REQUIRED for context in (own, default)))
"""


@pytest.mark.parametrize("command", ["upload", "bench"])
def test_the_command_reads_authorities_for_its_own_context_alone(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of aiohttp are unused. Without authorities they refuse every certificate."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-I", "-c", _AUTHORITIES, command], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1", "0", "True", "True"]


def test_a_private_authority_is_read_immediately(tmp_path: Path) -> None:
    """So a file that cannot be used is reported before the run starts."""
    path = tmp_path / "none.pem"
    path.write_text("no certificate")
    with pytest.raises(UsageError, match="cannot use the CA file"):
        TlsVerification(str(path))


def test_a_sending_process_starts_without_the_api_client() -> None:
    """With it, a process takes nearly twice as long to start, and a third more memory."""
    script = (
        "import sys; before = {*sys.modules}; import bulkup.pipeline.processes.child; print(*{*sys.modules} - before)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    unwanted = {"aiohttp", "pydantic_core", "typer", "rich", "structlog", "sqlite3", "urllib.request", "defusedxml"}
    unwanted |= {"orjson", "json", "uuid", "email.utils", "secrets", "jmespath"}
    assert unwanted & set(done.stdout.split()) == set()


def test_the_version_is_printed_without_the_settings() -> None:
    script = "import sys, bulkup.cli.app; print(*{'pydantic', 'bulkup.config.settings'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("command", ["upload", "status"])
def test_a_command_is_loaded_without_building_the_schema(command: str) -> None:
    """The options are made from the declarations of the fields."""
    script = (
        f"from bulkup.cli import app; app.load_command({command!r})\n"
        "from bulkup.config.checked_model import _VALIDATORS; print(len(_VALIDATORS))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]


HEAVY = {"aiohttp", "anyio", "asyncio", "pydantic", "pydantic_core", "rich", "sqlite3", "ssl", "structlog"}


def test_the_list_of_commands_imports_no_command_and_no_rich() -> None:
    script = (
        "import sys\nbefore = {*sys.modules}\nfrom bulkup.cli import entry\nsys.argv = ['bulkup', '--help']\n"
        "code = entry.run_command_line()\nprint(*{*sys.modules} - before, file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert HEAVY & loaded == set()
    assert {f"bulkup.cli.{place.partition(':')[0]}" for place, *_ in app.COMMANDS.values()} & loaded == set()
    assert all(f"  {name} " in done.stdout for name in app.COMMANDS)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_list_of_commands_has_the_first_sentence_of_their_help(name: str) -> None:
    command = app.load_command(name)
    assert " ".join(command.help.split("\n\n")[0].split()) == app.COMMANDS[name].summary


_UPLOAD = """
import sys
from bulkup.cli import entry
sys.argv = ["bulkup", "upload", *sys.argv[1:]]
code = entry.run_command_line()
print(*sys.modules)
sys.exit(code)
"""


def test_an_upload_imports_no_module_that_it_does_not_need(tmp_path: Path) -> None:
    """It ends before the first call to the API, because no server listens."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.mp4").write_bytes(b"x")
    to = ["--provider", "magic-hour", "--base-url", "http://127.0.0.1:9", "--attempts", "1", "--retry-for", "0"]
    given = [str(tmp_path / "files"), *to, "--journal", str(tmp_path / "j.sqlite3"), "--log-level", "debug"]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _UPLOAD, *given],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BULKUP_TOKEN": "t"},
    )
    assert done.returncode == 4, done.stderr
    assert "run started" in done.stderr
    loaded = set(done.stdout.split())
    unwanted = {"pydantic", "pydantic_core", "rich", "structlog", "graphql", "aiohttp.web", "typer"}
    unwanted |= {"statistics", "tomllib", "difflib", "importlib.resources", "csv", "platformdirs"}
    unwanted |= {"bulkup.localserver.server_config", "bulkup.api.dry_run"}
    assert unwanted & loaded == set()
    assert {"aiohttp", "pydantic_core._pydantic_core", "sqlite3"} <= loaded


@pytest.mark.parametrize(
    "given", [["--concurrency", "many"], ["--provider", "none"], ["--batch-size", "0"], []], ids=str
)
def test_wrong_settings_are_reported_before_the_modules_of_a_run_are_imported(given: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", _UPLOAD, "/missing", *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "bulkup: " in done.stderr
    assert {"aiohttp", "asyncio", "ssl", "sqlite3"} & set(done.stdout.split()) == set()
