"""bulkup without graphql-core, the extra `bulkup[server]`: only the Move API of the embedded server is missing."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bulkup.errors import ExitCode
from bulkup.localserver.move_ugc.move_endpoint import EXTRA_MISSING

# Python imports `sitecustomize` at its start, in child processes too: graphql is as if it were not installed.
NO_GRAPHQL = "import sys\nsys.modules['graphql'] = None\n"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python that cannot import graphql."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_GRAPHQL)
    return {**os.environ, "PYTHONPATH": str(folder)}


def bulkup(environ: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bulkup", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)


@contextlib.contextmanager
def serving(environ: Mapping[str, str], store: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "bulkup", "serve", f"--store={store}"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            yield json.loads(child.stdout.readline())["url"], child
        finally:
            child.kill()


def post(url: str, body: Any, authorization: str) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": authorization})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_environment_has_no_graphql(environ: dict[str, str]) -> None:
    """The tests below rely on it."""
    python = subprocess.run([sys.executable, "-c", "import graphql"], env=environ, capture_output=True, text=True)
    assert "ModuleNotFoundError" in python.stderr


def test_serve_warns_and_answers_move_calls_with_501(environ: dict[str, str], tmp_path: Path) -> None:
    """The error has the format of GraphQL and names the extra. The other APIs work."""
    with serving(environ, tmp_path / "store") as (url, child):
        status, body = post(f"{url}/ugc/graphql", {"query": "{ __typename }"}, "local-api-key-0001")
        assert status == 501
        assert body == {"errors": [{"errorType": "NotImplementedException", "message": EXTRA_MISSING}]}
        status, body = post(
            f"{url}/v1/files/upload-urls", {"items": [{"type": "video", "extension": "mp4"}]}, "Bearer local-token"
        )
        assert (status, len(body["items"])) == (200, 1)
        child.terminate()
        _, log = child.communicate(timeout=30)
    assert log.count("\n") == 1
    assert EXTRA_MISSING in log


def test_an_upload_to_that_server_by_the_move_provider_says_what_is_missing(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """The run stops at once with the server's message."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.mp4").write_bytes(b"bytes")
    environ |= {"BULKUP_API_KEY": "local-api-key-0001"}
    with serving(environ, tmp_path / "store") as (url, _):
        options = ["--provider", "move-ugc", "--base-url", url, "--journal", str(tmp_path / "journal.sqlite3")]
        run = bulkup(environ, "upload", str(source), *options)
    assert run.returncode != ExitCode.OK
    assert "bulkup[server]" in run.stderr


def test_the_local_provider_works(environ: dict[str, str], tmp_path: Path) -> None:
    """`--provider local` does not use the Move API, so it shows no warning."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.mp4").write_bytes(b"bytes")
    options = [
        "--provider",
        "local",
        "--store",
        str(tmp_path / "store"),
        "--journal",
        str(tmp_path / "journal.sqlite3"),
    ]
    run = bulkup(environ, "upload", str(source), *options)
    assert run.returncode == ExitCode.OK, run.stderr
    assert "Move" not in run.stdout + run.stderr


def test_the_demonstration_works(environ: dict[str, str], tmp_path: Path) -> None:
    """`bulkup demo` proves every file."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(20):
        (source / f"{number}.bin").write_bytes(os.urandom(1000))
    run = bulkup(environ, "demo", str(source))
    assert run.returncode == ExitCode.OK, run.stdout + run.stderr
