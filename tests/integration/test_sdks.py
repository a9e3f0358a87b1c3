"""The services' own released SDKs, unchanged, against the embedded server.

They run in a process of their own, as their users run them: they block, leave sockets open and warn of old pydantic.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from anyio import to_thread

from bulkup.localserver import LocalServer, ServerConfig

DATA = bytes(range(256)) * 40

MAGIC_HOUR = """
import json, sys
from magic_hour import Client
from make_api_request import ApiError

url, argument = sys.argv[1:]

def client(token="local-token"):
    return Client(token=token, base_url=url)
"""

MOVE = """
import json, sys
import httpx, requests
from gql import gql
from move_ugc import MoveUgc

url, argument = sys.argv[1:]
DATA = bytes(range(256)) * 40

def client(api_key="local-api-key-0001"):
    return MoveUgc(api_key=api_key, endpoint_url=url + "/ugc/graphql")
"""


@pytest.fixture
async def server(tmp_path: Any) -> Any:
    async with LocalServer(ServerConfig(store=str(tmp_path / "store"))) as running:
        yield running


async def run(server: Any, script: Any, argument: Any = "") -> Any:
    """Run a script that uses an SDK and return what it printed as JSON."""
    command = [sys.executable, "-c", script, server.url, argument]
    done = await to_thread.run_sync(lambda: subprocess.run(command, capture_output=True, check=False, timeout=60))
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def stored(server: Any, key: Any) -> Any:
    with open(os.path.join(server.objects_dir, key), "rb") as file:
        return file.read()


async def test_magic_hour_hands_out_urls(server: Any) -> None:
    script = """
items = [{"extension": "mp4", "type_": "video"}, {"extension": "mp3", "type_": "audio"}]
created = client().v1.files.upload_urls.create(items=items).items
print(json.dumps([[item.file_path, item.upload_url, item.expires_at] for item in created]))
"""
    first, second = await run(server, MAGIC_HOUR + script)
    assert first[0].endswith(".mp4")
    assert second[0].endswith(".mp3")
    assert first[1].startswith(f"{server.url}/{first[0]}?")
    assert first[2].endswith("Z")


@pytest.mark.parametrize("name", ["clip.mp4", "picture.png", "sound.mp3"])
async def test_magic_hour_uploads_a_file(server: Any, tmp_path: Any, name: Any) -> None:
    (tmp_path / name).write_bytes(DATA)
    path = await run(
        server, MAGIC_HOUR + "print(json.dumps(client().v1.files.upload_file(argument)))", str(tmp_path / name)
    )
    assert path.startswith("api-assets/")
    assert stored(server, path) == DATA
    assert server.stats() == {
        "presign_calls": 1,
        "tickets": 1,
        "puts_completed": 1,
        "puts_failed": 0,
        "bytes": len(DATA),
    }


async def test_magic_hour_understands_the_refusals(server: Any) -> None:
    script = """
def refused(token, **item):
    try:
        client(token).v1.files.upload_urls.create(items=[item])
    except ApiError as error:
        return [error.status_code, error.body]

wrong = [refused("nope", extension="mp4", type_="video"), refused("local-token", extension="mp4", type_="audio")]
print(json.dumps(wrong))
"""
    unauthorized, (status, body) = await run(server, MAGIC_HOUR + script)
    assert unauthorized == [401, {"message": "Unauthorized"}]
    assert status == 422
    assert body["message"].startswith("'mp4' is an invalid audio extension.")


@pytest.mark.parametrize("library", ["requests", "httpx"])
async def test_move_creates_a_file_that_is_then_uploaded_and_found(server: Any, library: Any) -> None:
    script = """
files = client().files
created = files.create(file_type="mp4", name="a.mp4", metadata={"take": 1}, expand=["client"])
status = sys.modules[argument].put(str(created.presigned_url), data=DATA).status_code
found = files.retrieve(id=created.id)
content = requests.get(str(found.presigned_url)).content
print(json.dumps([created.id, created.client.name, status, found.model_dump(mode="json"), content == DATA]))
"""
    file_id, client, status, found, same = await run(server, MOVE + script, library)
    assert file_id.startswith("file-")
    assert client
    assert status == 200
    assert (found["id"], found["type"], found["name"], found["metadata"]) == (file_id, "mp4", "a.mp4", {"take": 1})
    assert same
    assert stored(server, f"file-production-storage/{file_id.removeprefix('file-')}.mp4") == DATA
    # Introspection and retrieve ask for no upload URL.
    assert server.stats()["presign_calls"] == 1


async def test_move_changes_a_file_that_was_created_without_a_name(server: Any) -> None:
    script = """
files = client().files
created = files.create(file_type="mov")
updated = files.update(id=created.id, name="b", metadata={"x": None})
print(json.dumps([file.model_dump(mode="json") for file in (created, updated)]))
"""
    created, updated = await run(server, MOVE + script)
    assert (created["name"], created["metadata"]) == ("", {})
    assert (updated["id"], updated["name"], updated["metadata"]) == (created["id"], "b", {"x": None})


async def test_move_finds_what_another_client_created_without_a_name(server: Any) -> None:
    script = """
created = requests.post(
    url + "/ugc/graphql",
    json={"query": 'mutation { createFile(type: "mp4") { id } }'},
    headers={"Authorization": "local-api-key-0001"},
).json()["data"]["createFile"]
print(json.dumps(client().files.retrieve(id=created["id"]).id == created["id"]))
"""
    assert await run(server, MOVE + script)


async def test_move_understands_the_refusals(server: Any) -> None:
    script = """
def refused(key):
    try:
        client(key).files.retrieve(id="file-none")
    except Exception as error:
        return [type(error).__name__, str(error)]

print(json.dumps([refused("local-api-key-0001"), refused("another-api-key")]))
"""
    unknown, unauthorized = await run(server, MOVE + script)
    assert unknown[0] == "TransportQueryError"
    assert "MoveNotFoundError" in unknown[1]
    assert "You are not authorized to make this call" in unauthorized[1]


async def test_move_takes_many_aliases_through_the_sdks_client(server: Any) -> None:
    script = """
fields = " ".join(f'f{n}: createFile(type: "mp4") {{ id presignedUrl }}' for n in range(50))
print(json.dumps(client().files.ugc_api.execute(gql("mutation { " + fields + " }"))))
"""
    data = await run(server, MOVE + script)
    assert len({file["id"] for file in data.values()}) == 50
