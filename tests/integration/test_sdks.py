"""The services' own released SDKs, unchanged, against the embedded server.

They run in a process of their own, as their users run them: they block, leave sockets open and warn of old pydantic.
"""

from __future__ import annotations

import hashlib
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

METASTUDIO = """
import base64, hashlib, json, sys
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmetastudio.v1 import *

url, argument = sys.argv[1:]
DATA = bytes(range(256)) * 40
MD5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()
ASSET = "8cb2f48a2cb006154794741933421100"

def client(ak="LOCALACCESSKEY000001", sk="local-secret-key", project="local-project", token=None):
    credentials = BasicCredentials(ak, sk, project)
    if token:
        credentials.with_security_token(token)
    return MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(url).build()

def wanted(**changes):
    fields = {"file_name": "a.png", "file_md5": MD5, "file_size": len(DATA), "file_type": "png", "asset_id": ASSET}
    return FilesCreateReq(**{**fields, "asset_file_category": "MAIN", **changes})

def create(client, user=None, **changes):
    return client.create_file(CreateFileRequest(x_app_user_id=user, body=wanted(**changes)))

def confirm(client, file_id, state="CREATED"):
    body = ConfirmFileUploadRequestBody(state=state)
    return client.confirm_file_upload(ConfirmFileUploadRequest(file_id=file_id, body=body))

def refused(call, *arguments, **more):
    try:
        call(*arguments, **more)
    except ClientRequestException as error:
        return [error.status_code, error.error_code, error.error_msg, bool(error.request_id)]
"""


@pytest.fixture
async def server(tmp_path: Any) -> Any:
    async with LocalServer(ServerConfig(store=str(tmp_path / "store"))) as running:
        yield running


async def run(server: Any, script: Any, argument: Any = "") -> Any:
    """Run a script that uses an SDK and return its output as JSON."""
    command = [sys.executable, "-c", script, server.url, argument]
    done = await to_thread.run_sync(lambda: subprocess.run(command, capture_output=True, check=False, timeout=60))
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def stored(server: Any, key: Any) -> Any:
    with open(os.path.join(server.objects_dir, key), "rb") as file:
        return file.read()


async def test_magic_hour_issues_urls(server: Any) -> None:
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


async def test_magic_hour_raises_errors_for_refusals(server: Any) -> None:
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


async def test_move_raises_errors_for_refusals(server: Any) -> None:
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


async def test_metastudio_creates_a_file_that_is_then_uploaded_and_confirmed(server: Any) -> None:
    script = """
client = client()
created = create(client)
headers = {"Content-MD5": MD5, "Content-Type": "image/png"}
put = requests.put(created.upload_url, data=DATA, headers=headers)
confirmed = confirm(client, created.file_id)
ids = [created.x_request_id, confirmed.x_request_id]
print(json.dumps([created.file_id, put.status_code, put.headers["ETag"], confirmed.status_code, ids]))
"""
    file_id, status, etag, confirmed, request_ids = await run(server, METASTUDIO + script)
    assert (status, etag) == (200, f'"{hashlib.md5(DATA).hexdigest()}"')
    assert confirmed == 200
    assert len(set(request_ids)) == 2
    assert stored(server, f"metastudio-assets/8cb2f48a2cb006154794741933421100/{file_id}.png") == DATA
    assert server.stats()["presign_calls"] == server.stats()["tickets"] == server.stats()["puts_completed"] == 1


async def test_metastudio_uploads_a_large_file_in_parts(server: Any) -> None:
    script = """
client = client()
fields = {"file_name": "a.zip", "file_size": len(DATA), "file_type": "zip", "asset_id": ASSET}
body = LargeFilesCreateReq(**fields, asset_file_category="PACKAGE", file_multipart_count=2)
created = client.create_large_file(CreateLargeFileRequest(body=body))
parts = [DATA[:5000], DATA[5000:]]
statuses = [requests.put(url, data=part).status_code for url, part in zip(created.upload_urls, parts)]
print(json.dumps([created.file_id, statuses, confirm(client, created.file_id).status_code]))
"""
    file_id, statuses, confirmed = await run(server, METASTUDIO + script)
    assert (statuses, confirmed) == ([200, 200], 200)
    assert stored(server, f"metastudio-assets/8cb2f48a2cb006154794741933421100/{file_id}.zip") == DATA


async def test_metastudio_deletes_a_file(server: Any) -> None:
    script = """
client = client()
file_id = create(client).file_id
deleted = client.delete_file(DeleteFileRequest(file_id=file_id)).status_code
print(json.dumps([deleted, refused(confirm, client, file_id)]))
"""
    deleted, again = await run(server, METASTUDIO + script)
    assert deleted == 200
    assert again == [404, "MSS.00000005", "The file does not exist.", True]


async def test_metastudio_signs_with_temporary_keys_and_for_a_user(server: Any) -> None:
    script = """
created = create(client(token="local-security-token"), user="somebody else")
refusal = refused(create, client(token="another-security-token"))
print(json.dumps([len(created.file_id), refusal]))
"""
    length, refusal = await run(server, METASTUDIO + script)
    assert length == 32
    assert refusal[:2] == [401, "APIGW.0301"]


async def test_metastudio_raises_errors_for_refusals(server: Any) -> None:
    script = """
print(json.dumps([
    refused(create, client(sk="another-secret-key")),
    refused(create, client(ak="OTHERACCESSKEY000001")),
    refused(create, client(project="another-project")),
    refused(create, client(project=None)),
    refused(create, client(), file_size=0),
    refused(create, client(), user="用户"),
    refused(confirm, client(), "0" * 32),
    refused(confirm, client(), create(client()).file_id),
]))
"""
    refusals = await run(server, METASTUDIO + script)
    assert [refusal[:2] for refusal in refusals] == [
        [401, "APIGW.0301"],
        [401, "APIGW.0301"],
        [403, "APIGW.0306"],
        [403, "APIGW.0306"],
        [400, "MSS.00000003"],
        [400, "MSS.00000003"],
        [404, "MSS.00000005"],
        [400, "MSS.00000003"],
    ]
    assert refusals[0][2] == "Incorrect IAM authentication information: verify aksk signature fail"
    assert all(refusal[3] for refusal in refusals)
    assert server.stats()["presign_calls"] == 7
