"""The services' released SDKs, each in an environment of its own, against `bulkup serve` in another.

Users install them like this. In one environment, pip may choose older versions of the libraries that both need.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # they install packages

ROOT = Path(__file__).parents[2]

MAGIC_HOUR = """
import sys
from magic_hour import Client
client = Client(token="local-token", base_url=sys.argv[1])
print(client.v1.files.upload_urls.create(items=[{"extension": "mp4", "type_": "video"}]).items[0].file_path)
"""

MOVE = """
import sys
from move_ugc import MoveUgc
client = MoveUgc(api_key="local-api-key-0001", endpoint_url=sys.argv[1] + "/ugc/graphql")
print(client.files.retrieve(id=client.files.create(file_type="mp4").id).id)
"""

METASTUDIO = """
import sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmetastudio.v1 import *
credentials = BasicCredentials("LOCALACCESSKEY000001", "local-secret-key", "local-project")
client = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(sys.argv[1]).build()
fields = {"file_name": "a.png", "file_md5": "CY9rzUYh03PK3k6DJie09g==", "file_size": 4, "file_type": "png"}
body = FilesCreateReq(**fields, asset_id="8cb2f48a2cb006154794741933421100", asset_file_category="MAIN")
print("metastudio", client.create_file(CreateFileRequest(body=body)).file_id)
"""


def environment(folder: Path, *packages: str) -> Path:
    """Install packages into a new environment, with the newest versions that they allow. Return its programs."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    subprocess.run(install, check=True, timeout=600, env=clean())
    return folder / "bin"


def clean() -> dict[str, str]:
    """Return the process's environment without variables that lead Python to other packages."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "BULKUP_"))}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `bulkup serve`, which is installed alone."""
    folder = tmp_path_factory.mktemp("server")
    programs = environment(folder / "environment", f"{ROOT}[server]")
    serve = [str(programs / "bulkup"), "serve", "--port", "0", "--store", str(folder / "store")]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True, env=clean(), cwd=folder) as child:
        assert child.stdout
        with contextlib.ExitStack() as stack:
            stack.callback(child.terminate)
            yield json.loads(child.stdout.readline())["url"].rstrip("/")


@pytest.mark.parametrize(
    ("packages", "program", "prefix"),
    [
        pytest.param(["magic-hour==0.90.0"], MAGIC_HOUR, "api-assets/", id="magic-hour"),
        pytest.param(["move-ugc-python==4.1.0"], MOVE, "file-", id="move-ugc"),
        pytest.param(
            ["huaweicloudsdkcore==3.1.219", "huaweicloudsdkmetastudio==3.1.219"],
            METASTUDIO,
            "metastudio ",
            id="metastudio",
        ),
    ],
)
def test_an_sdk_creates_a_file(url: str, tmp_path: Path, packages: list[str], program: str, prefix: str) -> None:
    """With the versions of its libraries that pip chooses for it alone."""
    python = environment(tmp_path / "environment", *packages) / "python"
    done = subprocess.run([python, "-c", program, url], capture_output=True, text=True, timeout=60, env=clean())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(prefix)
