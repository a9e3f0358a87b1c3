"""One directory through each of the four services with the installed command, and typical mistakes with each."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from e2e_world import API_KEY, TOKEN, Answer, World, answering, md5, serving, started, wait_for

from bulkup.journal import Reader
from bulkup.localserver import ServerConfig
from bulkup.reports.manifest import manifest_object

KEYS = {"BULKUP_ACCESS_KEY": "LOCALACCESSKEY000001", "BULKUP_SECRET_KEY": "local-secret-key"}
IAM = {
    "BULKUP_IAM_USER": "local-user",
    "BULKUP_IAM_DOMAIN": "local-domain",
    "BULKUP_IAM_PASSWORD": "local-password-0001",
}
CLIENT = {"BULKUP_CLIENT_ID": "local-client", "BULKUP_CLIENT_SECRET": "local-client-secret"}
PROJECT = ("--project-id", "local-project", "--rate-limit", "0")
ASSET = (*PROJECT, "--asset-id", "a1")
PIPELINE = ("--pipeline-id", "p1")
WAYS: dict[str, tuple[str, tuple[str, ...], Mapping[str, str]]] = {
    "magic-hour": ("magic-hour", (), TOKEN),
    "move-ugc": ("move-ugc", (), API_KEY),
    "metastudio": ("metastudio", ASSET, KEYS),
    "metastudio, a user": ("metastudio", ASSET, IAM),
    "metastudio, a token": ("metastudio", ASSET, {"BULKUP_AUTH_TOKEN": "local-token"}),
    "xvid": ("xvid", PIPELINE, TOKEN),
    "xvid, a client": ("xvid", PIPELINE, CLIENT),
}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world with files that all four services accept."""
    world = World(tmp_path)
    world.fill(40)
    for path in world.source.rglob("*"):
        if path.is_file() and not path.stat().st_size:
            path.write_bytes(b"metastudio takes no empty file")
    (world.source / "large.mp4").write_bytes(bytes(range(256)) * 10_000)
    return world


def object_of(world: World, row: dict[str, Any]) -> Path:
    """Return where the server keeps the object of a manifest row."""
    remote_id, remote = str(row["remote_id"]), row["remote"]
    name = {
        "magic-hour": remote_id,
        "move-ugc": f"file-production-storage/{remote_id.removeprefix('file-')}.*",
        "metastudio": f"metastudio-assets/{remote.get('asset_id')}/{remote_id}.*",
        "xvid": f"xvid-mediahub/tmp/{remote.get('pipeline_id')}/{remote.get('object_key')}",
    }[row["provider"]]
    (found,) = (world.store / "objects").glob(name.replace("[", "[[]"))
    return found


def test_the_manifests_of_all_services_agree(world: World) -> None:
    """The same directory is uploaded by each service. Every object equals its file, and the four manifests have the
    same digests."""
    digests = []
    with serving(world.store) as url:
        for number, (provider, options, env) in enumerate(WAYS.values()):
            world.journal = world.root / f"{number}.sqlite3"
            done = world.upload(*world.to(url, provider), *options, env=env).expect(0)
            assert done.summary["files"]["uploaded"] == 41
            with Reader(str(world.journal)) as reader:
                rows = [manifest_object(row) for row in reader.manifest()]
            assert all(md5(object_of(world, row)) == row["md5"] for row in rows)
            digests.append({row["path"]: (row["md5"], row["status"]) for row in rows})
    assert all(digest == digests[0] for digest in digests)


@pytest.mark.parametrize("way", ["metastudio", "xvid"])
def test_killed_and_resumed(world: World, way: str) -> None:
    """A killed run is resumed. Every file is checked once, and at most the files in flight are sent twice."""
    provider, options, env = WAYS[way]
    world.fill(400, seed=2, largest=2_000, extensions=("mp4", "png"))
    for path in world.source.rglob("*"):
        if path.is_file() and not path.stat().st_size:
            path.write_bytes(b"not empty")
    with serving(world.store) as url:
        command = ("upload", str(world.source), *world.to(url, provider), *options, "--concurrency", "8", "--quiet")
        for part in (100, 250):
            with started(*command, env=env) as process:
                wait_for(lambda part=part: world.settled() >= part or process.poll() is not None)  # type: ignore[misc]
                process.kill()
        done = world.upload(*world.to(url, provider), *options, env=env).expect(0)
    files = world.verify(lambda row: str(object_of(world, row).relative_to(world.store / "objects")))
    assert done.summary["files"]["found"] == files


def refused(world: World, way: str, code: int, *said: str, options: tuple[str, ...] = (), **env: str) -> None:
    """Upload with a wrong setting. There must be one message, and no file recorded as uploaded."""
    provider, given, known = WAYS[way]
    with serving(world.store) as url:
        command = (*world.to(url, provider), *given, *options)
        done = world.upload(*command, "--attempts", "1", env={**known, **env}).expect(code, *said)
    messages = [line for line in done.err.splitlines() if line.startswith("bulkup: ")]
    assert len(messages) <= 1, done
    assert world.settled() == 0


def test_a_wrong_secret_key(world: World) -> None:
    """The message has the gateway's code, and says what to check."""
    refused(world, "metastudio", 4, "APIGW.0301", "credentials are refused", BULKUP_SECRET_KEY="wrong")


def test_a_wrong_password(world: World) -> None:
    """The identity service refuses, and the message names its settings."""
    refused(world, "metastudio, a user", 4, "Huawei IAM", "iam_password", BULKUP_IAM_PASSWORD="wrong")


def test_a_wrong_client_secret(world: World) -> None:
    """The token service refuses, and the message names its settings."""
    refused(world, "xvid, a client", 4, "token service", "client_secret", BULKUP_CLIENT_SECRET="wrong")


def test_a_wrong_token(world: World) -> None:
    """Xvid answers with 403 where other services use 401."""
    refused(world, "xvid", 4, "0x0000003", "credentials are refused", BULKUP_TOKEN="wrong")


def test_a_project_of_another_region(world: World) -> None:
    """The service's answer is unclear, so the hint explains it."""
    refused(world, "metastudio", 4, "region", options=("--project-id", "elsewhere"))


def test_an_unknown_region(world: World) -> None:
    """It is refused before the run starts, with a list of the regions."""
    refused(world, "metastudio", 2, "cn-north-4", options=("--region", "mars-1"))


@pytest.mark.parametrize(("way", "said"), [("metastudio", "project_id"), ("xvid", "pipeline_id")])
def test_a_setting_that_is_missing(world: World, way: str, said: str) -> None:
    """The message names the settings that the provider needs."""
    provider, _, env = WAYS[way]
    world.upload("--provider", provider, "--journal", str(world.journal), env=env).expect(2, said)


def test_a_map_that_is_wrong(world: World) -> None:
    """Every wrong line is reported with its number before the run starts."""
    world.root.joinpath("map.csv").write_text(
        "path,asset_id,asset_file_category\nlarge.mp4,a1,MAIN\nnone.mp4,a2,MAIN\nlarge.mp4,a3,OTHER\n"
    )
    said = ("map.csv:3", "does not exist", "map.csv:4", "already")
    refused(world, "metastudio", 2, *said, options=("--asset-map", str(world.root / "map.csv")))


def test_two_files_for_one_object_key(world: World) -> None:
    """The first file is uploaded and the second is rejected by name. The dry run reports it too."""
    for folder in ("a", "b"):
        (world.source / folder).mkdir()
        (world.source / folder / "clip.mp4").write_bytes(folder.encode())
    provider, options, env = WAYS["xvid"]
    with serving(world.store) as url:
        command = (*world.to(url, provider), *options, "--object-key", "k/{name}")
        dry = world.upload(*command, "--dry-run", env=env).expect(0)
        assert [line["reason"] for line in dry.lines if line.get("action") == "rejected"] != []
        done = world.upload(*command, env=env).expect(3)
    (rejected,) = [line for line in done.lines if line.get("status") == "rejected"]
    assert "k/clip.mp4" in rejected["error"]
    assert "clip.mp4" in rejected["error"].partition("is taken by")[2]


def xvid_session(form_url: str, **params: str) -> Any:
    """Return an answer to any session call of Xvid with this form."""

    def answer(_path: str, _body: bytes) -> Answer:
        upload = {"id": "5475f75ce4b084a392305dcb", "status": "UPLOADING", "form_post_url": form_url}
        return 200, JSON, json.dumps({"upload": {**upload, "form_post_params": params}}).encode()

    return answer


ENDLESS = base64.b64encode(b'{"conditions":[]}').decode()
POLICY = base64.b64encode(b'{"expiration":"2999-01-01T00:00:00Z","conditions":[]}').decode()


@pytest.mark.parametrize(
    ("params", "said"),
    [({"key": "k", "policy": ENDLESS}, "expiration"), ({"key": "k", "policy": POLICY, "file": "x"}, "called file")],
)
def test_a_form_that_cannot_be_used(world: World, params: dict[str, str], said: str) -> None:
    """The policy does not expire, or a field would be taken for the file. It is reported, and nothing is sent."""
    with answering(xvid_session("http://127.0.0.1:9/b/", **params)) as url:
        done = world.upload(*world.to(url, "xvid"), *PIPELINE, "--attempts", "1", env=TOKEN).expect(4, said)
    assert done.summary["files"]["remaining"] == 41
    assert POLICY not in done.err + done.out


def test_the_servers_defaults_are_the_ones_used_here() -> None:
    """The constants of this module equal the embedded server's defaults."""
    config = ServerConfig(store="")
    assert {"BULKUP_ACCESS_KEY": config.access_key, "BULKUP_SECRET_KEY": config.secret_key} == KEYS
    assert {"BULKUP_CLIENT_ID": config.client_id, "BULKUP_CLIENT_SECRET": config.client_secret} == CLIENT
