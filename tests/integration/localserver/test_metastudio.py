"""MetaStudio's API over real sockets: authentication, parameters, upload URLs, completion, and IAM's tokens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from bulkup.localserver import LocalServer, ServerConfig
from localserver.world import FakeClock, set_faults

TOKEN = {"X-Auth-Token": "local-token"}
FILES = "/v1/local-project/files"
LARGE = "/v1/local-project/large-files"
DATA = bytes(range(256)) * 8
MD5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()
ASKED = {
    "file_name": "a.PNG",
    "file_md5": MD5,
    "file_size": len(DATA),
    "file_type": "png",
    "asset_id": "8cb2f48a2cb006154794741933421100",
    "asset_file_category": "OTHER",
}
ASKED_LARGE = {name: value for name, value in ASKED.items() if name != "file_md5"}
CREATED = {"state": "CREATED"}


@pytest.fixture
def call(server: LocalServer, http: ClientSession) -> Any:
    """Return a function that makes a call and returns status, headers and the decoded body, or None without a body."""

    async def make(path: Any, body: Any = b"", headers: Any = TOKEN, method: Any = "POST") -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with http.request(method, server.url + path, data=io.BytesIO(data), headers=headers) as answer:
            content = await answer.read()
            return answer.status, answer.headers, json.loads(content) if content else None

    return make


@pytest.fixture
def put(http: ClientSession) -> Any:
    async def send(url: Any, data: Any = DATA, **headers: Any) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with http.put(url, data=io.BytesIO(data), headers=named, skip_auto_headers=["Content-Type"]) as answer:
            return answer.status, answer.headers, await answer.text()

    return send


@pytest.fixture
def create(call: Any) -> Any:
    """Return a function that creates a file and returns its id and URL."""

    async def make(**changes: Any) -> Any:
        status, _, body = await call(FILES, {**ASKED, **changes})
        assert status == 200
        return body["file_id"], body["upload_url"]

    return make


@pytest.fixture
def uploaded(create: Any, put: Any) -> Any:
    """Return a function that creates a file, uploads it, and returns its id."""

    async def make(**changes: Any) -> Any:
        file_id, url = await create(**changes)
        content_type = "image/png" if changes.get("file_type", "png") == "png" else "application/octet-stream"
        assert (await put(url, Content_MD5=MD5, Content_Type=content_type))[0] == 200
        return file_id

    return make


def complete(file_id: Any) -> Any:
    return f"{FILES}/{file_id}/complete"


def signed(
    server: LocalServer, path: Any = FILES, body: Any = None, secret_key: Any = "local-secret-key", **more: Any
) -> Any:
    """Return headers and body of a call, signed by the SDK's signer."""
    text = json.dumps(ASKED if body is None else body)
    request = SdkRequest("POST", "http", urlsplit(server.url).netloc, path, [], [], {}, text)
    request.header_params = {
        "Content-Type": "application/json",
        "X-Sdk-Date": more.pop("date", "20231114T221320Z"),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    credentials = BasicCredentials(more.get("access_key", "LOCALACCESSKEY000001"), secret_key)
    Signer(credentials).sign(request)
    return request.body, dict(request.header_params)


def is_refused(answer: Any, status: Any, code: Any, start: Any) -> Any:
    assert answer[0] == status
    assert answer[2]["error_code"] == code
    assert answer[2]["error_msg"].startswith(start), answer[2]
    assert ("request_id" in answer[2]) == code.startswith("APIGW.")
    assert re.fullmatch("[0-9a-f]{32}", answer[1]["X-Request-Id"])
    return True


async def test_a_file_is_created_uploaded_and_completed(server: LocalServer, call: Any, put: Any) -> None:
    status, headers, body = await call(FILES, ASKED)
    assert status == 200
    assert headers["Content-Type"].startswith("application/json")
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-Id"])
    assert body.keys() == {"file_id", "upload_url"}
    assert re.fullmatch("[0-9a-f]{32}", body["file_id"])
    url = urlsplit(body["upload_url"])
    assert re.fullmatch(rf"/[^/]+/{ASKED['asset_id']}/{body['file_id']}\.png", url.path)
    query = parse_qs(url.query)
    assert list(query) == ["AccessKeyId", "Expires", "Signature"]
    assert query["Expires"] == [str(1_700_000_000 + 24 * 3600)]
    status, headers, _ = await put(body["upload_url"], Content_MD5=MD5, Content_Type="image/png")
    assert (status, headers["ETag"]) == (200, f'"{hashlib.md5(DATA).hexdigest()}"')
    status, headers, nothing = await call(complete(body["file_id"]), CREATED)
    assert (status, nothing) == (200, None)
    assert "X-Request-Id" in headers
    with open(os.path.join(server.objects_dir, url.path[1:]), "rb") as file:
        assert file.read() == DATA
    assert server.stats() == {
        "presign_calls": 1,
        "tickets": 1,
        "puts_completed": 1,
        "puts_failed": 0,
        "bytes": len(DATA),
    }


@pytest.mark.parametrize(
    ("extension", "content_type"),
    [
        *(("gif", "image/gif"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("png", "image/png")),
        *(("mp4", "video/mp4"), ("mp3", "audio/mp3"), ("wav", "audio/wav"), ("PNG", "image/png")),
        *(("fbx", "application/octet-stream"), ("tar.gz", "application/octet-stream")),
    ],
)
async def test_each_file_type_needs_its_content_type(create: Any, put: Any, extension: Any, content_type: Any) -> None:
    _, url = await create(file_type=extension)
    for wrong in ({}, {"Content_Type": "audio/mpeg"}, {"Content_Type": content_type.upper()}):
        status, _, text = await put(url, Content_MD5=MD5, **wrong)
        assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)
    assert (await put(url, Content_MD5=MD5, Content_Type=content_type))[0] == 200


async def test_the_md5_is_required_and_verified(create: Any, put: Any) -> None:
    _, url = await create()
    other = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for wrong in ({}, {"Content_MD5": other}):
        status, _, text = await put(url, b"other", Content_Type="image/png", **wrong)
        assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)
    status, _, text = await put(url, b"other", Content_Type="image/png", Content_MD5=MD5)
    assert (status, "<Code>BadDigest</Code>" in text) == (400, True)


async def test_urls_are_valid_for_a_day_or_the_configured_time(
    tmp_path: Path, server: LocalServer, http: ClientSession, put: Any, clock: FakeClock, create: Any
) -> None:
    _, url = await create()
    clock.offset = 24 * 3600
    assert (await put(url, Content_MD5=MD5, Content_Type="image/png"))[0] == 200
    clock.offset = 24 * 3600 + 1
    status, _, text = await put(url, Content_MD5=MD5, Content_Type="image/png")
    assert (status, "Request has expired" in text) == (403, True)
    config = ServerConfig(store=str(tmp_path / "b"), url_ttl=5)
    async with (
        LocalServer(config, FakeClock()) as short,
        http.post(short.url + FILES, json=ASKED, headers=TOKEN) as answer,
    ):
        assert "&Expires=1700000005&" in (await answer.json())["upload_url"]


async def test_obs_headers_cannot_be_added_to_a_url(create: Any, put: Any) -> None:
    _, url = await create()
    for name in ("x_obs_acl", "x_amz_acl"):
        status, _, text = await put(url, Content_MD5=MD5, Content_Type="image/png", **{name: "public-read"})
        assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)


@pytest.mark.parametrize(
    "category",
    [
        *("MAIN", "COVER", "PAGE", "SAMPLE", "OTHER", "WHOLE_MODEL", "USER_MODIFIED_MODEL", "TEMPORARY", "PACKAGE"),
    ],
)
async def test_the_categories_of_both_lists_are_accepted(call: Any, category: Any) -> None:
    for path, asked in ((FILES, ASKED), (LARGE, ASKED_LARGE)):
        assert (await call(path, {**asked, "asset_file_category": category}))[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        *({"file_name": ""}, {"file_name": "x" * 257}, {"file_name": 1}, {"file_name": None}),
        *({"file_size": 0}, {"file_size": (5 << 30) + 1}, {"file_size": "1"}, {"file_size": True}, {"file_size": 1.5}),
        *({"file_type": ""}, {"file_type": "x" * 65}, {"file_type": "a/b"}, {"file_type": "a\n"}, {"file_type": None}),
        *({"file_type": "\U0001f600" * 64}, {"file_type": "a\\b"}),
        *({"file_md5": ""}, {"file_md5": MD5[:-1]}, {"file_md5": "x" * 24}, {"file_md5": MD5 + "AA=="}),
        *({"file_md5": hashlib.md5(DATA).hexdigest()}, {"file_md5": 1}, {"file_md5": "é" * 24}),
        *({"asset_id": ""}, {"asset_id": "x" * 65}, {"asset_id": "../x"}, {"asset_id": "é"}, {"asset_id": None}),
        *({"asset_file_category": "main"}, {"asset_file_category": ["MAIN"]}, {"asset_file_category": None}),
    ],
)
async def test_a_wrong_parameter_is_named(server: LocalServer, call: Any, change: Any) -> None:
    answer = await call(FILES, {**ASKED, **change})
    assert is_refused(answer, 400, "MSS.00000003", "Invalid parameter: " + next(iter(change)))
    missing = {name: value for name, value in ASKED.items() if name not in change}
    assert is_refused(await call(FILES, missing), 400, "MSS.00000003", "Invalid parameter: " + next(iter(change)))
    assert server.stats()["presign_calls"] == 2
    assert server.stats()["tickets"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"'])
@pytest.mark.parametrize("path", [FILES, LARGE, FILES + "/x/complete"])
async def test_a_body_that_is_not_an_object_is_refused(call: Any, path: Any, body: Any) -> None:
    assert is_refused(await call(path, body), 400, "MSS.00000003", "Invalid parameter: ")


async def test_the_largest_and_smallest_values_are_accepted(call: Any) -> None:
    largest = {**ASKED, "file_size": 5 << 30, "file_name": "é" * 256, "file_type": "x" * 64, "asset_id": "_" * 64}
    assert (await call(FILES, largest))[0] == 200
    assert (await call(FILES, {**ASKED, "file_size": 1, "file_name": "x", "file_type": "x", "asset_id": "-"}))[0] == 200
    assert (await call(LARGE, {**ASKED_LARGE, "file_size": 500 << 30}))[0] == 200
    assert (await call(LARGE, {**ASKED_LARGE, "file_size": (500 << 30) + 1}))[0] == 400


async def test_a_body_that_is_too_large_is_refused(call: Any) -> None:
    assert is_refused(await call(FILES, b"x" * ((8 << 20) + 1)), 413, "APIGW.0201", "Request entity too large")


async def test_a_signed_call_is_accepted(server: LocalServer, call: Any) -> None:
    body, headers = signed(server, X_Project_Id="local-project", X_App_UserId="somebody")
    assert (await call(FILES, body, headers))[0] == 200
    body, headers = signed(server, X_Security_Token="local-security-token")
    assert (await call(FILES, body, headers))[0] == 200


async def test_a_call_without_valid_authentication_is_refused_and_counted(server: LocalServer, call: Any) -> None:
    start = "Incorrect IAM authentication information: "
    body, wrong_key = signed(server, secret_key="another")
    _, other_token = signed(server, X_Security_Token="another")
    _, loose_token = signed(server)
    _, unknown = signed(server)
    unknown["Authorization"] = unknown["Authorization"].replace("LOCALACCESSKEY", "OTHERACCESSKEY")
    for headers, reason in (
        ({}, "x-auth-token not found"),
        (wrong_key, "verify aksk signature fail"),
        (other_token, "verify aksk signature fail, the security token"),
        ({**loose_token, "X-Security-Token": "local-security-token"}, "verify aksk signature fail, the header"),
        (unknown, "Get secretKey failed"),
        ({"Authorization": "Bearer local-token"}, "the Authorization header"),
        ({**TOKEN, "Authorization": "Bearer local-token"}, "the Authorization header"),
    ):
        assert is_refused(await call(FILES, body, headers), 401, "APIGW.0301", start + reason)
    assert server.stats()["presign_calls"] == 7
    assert server.stats()["tickets"] == 0


async def test_a_wrong_client_clock_is_refused_with_the_date_of_the_server(
    server: LocalServer, call: Any, clock: FakeClock
) -> None:
    body, headers = signed(server)
    clock.offset = 901
    answer = await call(FILES, body, headers)
    assert is_refused(answer, 401, "APIGW.0301", "Incorrect IAM authentication information: verify aksk signature fail")
    assert "X-Sdk-Date is more than 15 minutes from the server's time" in answer[2]["error_msg"]
    assert parsedate_to_datetime(answer[1]["Date"]).timestamp() == 1_700_000_901


@pytest.mark.parametrize("changed", [{"secret_key": "rotated"}, {"access_key": "ROTATEDACCESSKEY0001"}], ids=str)
async def test_a_changed_key_takes_effect_at_once(server: LocalServer, call: Any, changed: dict[str, str]) -> None:
    server.set_credentials(**changed)
    body, headers = signed(server)
    assert (await call(FILES, body, headers))[0] == 401
    body, headers = signed(server, **changed)
    assert (await call(FILES, body, headers))[0] == 200


async def test_another_project_is_refused_before_parameters_are_checked(call: Any) -> None:
    for path in ("/v1/another/files", "/v1/%7Bproject_id%7D/files", "/v1/another/large-files"):
        assert is_refused(await call(path, b"{"), 403, "APIGW.0306", "API access denied")


async def test_a_user_id_that_is_not_ascii_is_an_invalid_parameter(call: Any) -> None:
    answer = await call(FILES, ASKED, {**TOKEN, "X-App-UserId": "用户"})
    assert is_refused(answer, 400, "MSS.00000003", "Invalid parameter: X-App-UserId")


PASSWORD = {
    "auth": {
        "identity": {
            "methods": ["password"],
            "password": {
                "user": {"domain": {"name": "local-domain"}, "name": "local-user", "password": "local-password-0001"}
            },
        },
        "scope": {"project": {"name": "cn-north-4"}},
    }
}


def with_user(**changes: Any) -> Any:
    body = json.loads(json.dumps(PASSWORD))
    body["auth"]["identity"]["password"]["user"] |= changes
    return body


async def test_iam_issues_a_token_for_a_day(server: LocalServer, call: Any, clock: FakeClock) -> None:
    status, headers, body = await call("/v3/auth/tokens", PASSWORD, {})
    assert status == 201
    assert body["token"]["expires_at"] == "2023-11-15T22:13:20.000000Z"
    token = {"X-Auth-Token": headers["X-Subject-Token"]}
    assert (await call(FILES, ASKED, token))[0] == 200
    clock.offset = 24 * 3600 - 1
    assert (await call(FILES, ASKED, token))[0] == 200
    clock.offset = 24 * 3600
    assert is_refused(await call(FILES, ASKED, token), 401, "APIGW.0307", "The token must be updated.")
    assert server.stats()["presign_calls"] == 3


async def test_an_unknown_token_or_one_of_an_old_password_is_refused(server: LocalServer, call: Any) -> None:
    _, headers, _ = await call("/v3/auth/tokens", PASSWORD, {})
    for token in ("", "nope", headers["X-Subject-Token"][:-1]):
        answer = await call(FILES, ASKED, {"X-Auth-Token": token})
        assert is_refused(answer, 401, "APIGW.0307", "The token must be updated.")
    server.set_credentials(iam_password="changed")
    answer = await call(FILES, ASKED, {"X-Auth-Token": headers["X-Subject-Token"]})
    assert is_refused(answer, 401, "APIGW.0307", "The token must be updated.")


@pytest.mark.parametrize(
    "body", [with_user(password="x"), with_user(name="x"), with_user(domain={"name": "x"}), with_user(password="é")]
)
async def test_iam_refuses_wrong_credentials(call: Any, body: Any) -> None:
    status, headers, answer = await call("/v3/auth/tokens", body, {})
    error = {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}
    assert (status, answer) == (401, {"error": error})
    assert "X-Subject-Token" not in headers


@pytest.mark.parametrize(("scope", "status"), [({"id": "local-project"}, 201), ({"id": "other"}, 401), ({}, 400)])
async def test_iam_checks_the_project(call: Any, scope: Any, status: Any) -> None:
    body = json.loads(json.dumps(PASSWORD))
    body["auth"]["scope"]["project"] = scope
    assert (await call("/v3/auth/tokens", body, {}))[0] == status


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", {}, {"auth": 1}, with_user(password=None), {"auth": {"identity": {"methods": ["token"]}}}]
    + [{"auth": {**PASSWORD["auth"], "scope": scope}} for scope in (None, "x", {"domain": {"name": "x"}})],
)
async def test_iam_refuses_invalid_bodies(call: Any, body: Any) -> None:
    status, _, answer = await call("/v3/auth/tokens", body, {})
    assert (status, answer["error"]["code"], answer["error"]["title"]) == (400, 400, "Bad Request")


async def test_a_file_is_completed_once_and_only_after_its_upload(call: Any, create: Any, put: Any) -> None:
    file_id, url = await create()
    answer = await call(complete(file_id), CREATED)
    assert is_refused(answer, 400, "MSS.00000003", "Invalid parameter: the file, or a part of it, has not been")
    await put(url, Content_MD5=MD5, Content_Type="image/png")
    assert (await call(complete(file_id), CREATED))[0] == 200
    for state in ("CREATED", "FAILED", "CANCELLED"):
        answer = await call(complete(file_id), {"state": state})
        assert is_refused(answer, 409, "MSS.00000006", "The file has been completed already.")


async def test_a_wrong_size_is_refused_at_completion(call: Any, uploaded: Any) -> None:
    file_id = await uploaded(file_size=len(DATA) + 1)
    answer = await call(complete(file_id), CREATED)
    assert is_refused(answer, 400, "MSS.00000003", f"Invalid parameter: file_size was {len(DATA) + 1} and {len(DATA)}")


@pytest.mark.parametrize("state", [None, "created", "DONE", ["CREATED"], 1])
async def test_other_states_are_refused(call: Any, uploaded: Any, state: Any) -> None:
    assert is_refused(await call(complete(await uploaded()), {"state": state}), 400, "MSS.00000003", "Invalid param")


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
async def test_the_bytes_of_a_cancelled_file_are_deleted(
    server: LocalServer, call: Any, create: Any, uploaded: Any, state: Any
) -> None:
    for file_id in ((await create())[0], await uploaded()):
        assert (await call(complete(file_id), {"state": state}))[0] == 200
        assert (await call(complete(file_id), CREATED))[0] == 409
    assert [names for _, _, names in os.walk(server.objects_dir) if names] == []


@pytest.mark.parametrize("file_id", ["0" * 32, "x", "..%2f..%2fx", "%00"])
async def test_an_unknown_file_is_not_found(call: Any, file_id: Any) -> None:
    answer = await call(complete(file_id), CREATED)
    assert is_refused(answer, 404, "MSS.00000005", "The file does not exist.")
    answer = await call(f"{FILES}/{file_id}", method="DELETE")
    assert is_refused(answer, 404, "MSS.00000005", "The file does not exist.")


async def test_a_deleted_file_is_gone(server: LocalServer, call: Any, create: Any, uploaded: Any) -> None:
    for file_id in ((await create())[0], await uploaded()):
        status, headers, nothing = await call(f"{FILES}/{file_id}", method="DELETE")
        assert (status, nothing, "X-Request-Id" in headers) == (200, None, True)
        assert (await call(f"{FILES}/{file_id}", method="DELETE"))[0] == 404
        assert (await call(complete(file_id), CREATED))[0] == 404
    assert [names for _, _, names in os.walk(server.objects_dir) if names] == []


async def test_an_asset_has_one_main_file(call: Any, uploaded: Any) -> None:
    main = {"asset_file_category": "MAIN"}
    first, second, given_up = [await uploaded(**main) for _ in range(3)]
    assert (await call(complete(given_up), {"state": "FAILED"}))[0] == 200
    assert (await call(complete(first), CREATED))[0] == 200
    assert is_refused(await call(complete(second), CREATED), 409, "MSS.00000007", "The asset has a MAIN file already.")
    assert (await call(complete(await uploaded(asset_id="another", **main)), CREATED))[0] == 200
    assert (await call(complete(await uploaded()), CREATED))[0] == 200
    await call(f"{FILES}/{first}", method="DELETE")
    assert (await call(complete(second), CREATED))[0] == 200


async def test_files_and_tokens_survive_a_restart(tmp_path: Path, http: ClientSession) -> None:
    config = ServerConfig(store=str(tmp_path), prefer_last_port=True)
    main = {**ASKED, "asset_file_category": "MAIN"}

    async def call(server: LocalServer, path: Any, body: Any, headers: Any) -> Any:
        async with http.post(server.url + path, json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.json() if answer.content_length else None

    async def upload(url: Any) -> Any:
        async with http.put(url, data=DATA, headers={"Content-MD5": MD5, "Content-Type": "image/png"}) as answer:
            return answer.status

    async with LocalServer(config) as server:
        _, headers, _ = await call(server, "/v3/auth/tokens", PASSWORD, {})
        token = {"X-Auth-Token": headers["X-Subject-Token"]}
        files = [(await call(server, FILES, main, token))[2] for _ in range(2)]
        assert await upload(files[0]["upload_url"]) == 200
        assert (await call(server, complete(files[0]["file_id"]), CREATED, token))[0] == 200
    async with LocalServer(config) as server:
        assert (await call(server, complete(files[0]["file_id"]), CREATED, token))[0] == 409
        assert await upload(files[1]["upload_url"]) == 200
        status, _, body = await call(server, complete(files[1]["file_id"]), CREATED, token)
        assert (status, body["error_code"]) == (409, "MSS.00000007")


@pytest.fixture
def large(call: Any) -> Any:
    """Return a function that creates a large file of some parts and returns its id and URLs."""

    async def make(**changes: Any) -> Any:
        status, _, body = await call(LARGE, {**ASKED_LARGE, **changes})
        assert status == 200
        return body["file_id"], body["upload_urls"]

    return make


async def test_a_large_file_is_uploaded_in_parts_and_joined(
    server: LocalServer, call: Any, large: Any, put: Any
) -> None:
    parts = [os.urandom(3 << 20), os.urandom(10), os.urandom(1)]
    file_id, urls = await large(file_multipart_count=3, file_size=sum(map(len, parts)))
    for number in (2, 0, 1):
        status, headers, _ = await put(urls[number], parts[number])
        assert (status, headers["ETag"]) == (200, f'"{hashlib.md5(parts[number]).hexdigest()}"')
    assert [names for _, _, names in os.walk(server.objects_dir) if names] == []
    assert (await call(complete(file_id), CREATED))[0] == 200
    path = urlsplit(urls[0]).path
    assert path == urlsplit(urls[2]).path
    with open(os.path.join(server.objects_dir, path[1:]), "rb") as file:
        assert file.read() == b"".join(parts)
    state = os.path.join(os.path.dirname(server.objects_dir), "state")
    assert os.listdir(os.path.join(state, "parts")) == os.listdir(os.path.join(state, "incoming")) == []
    assert server.stats()["tickets"] == 1
    assert server.stats()["puts_completed"] == 3


async def test_the_default_is_one_part(large: Any) -> None:
    assert len((await large())[1]) == 1
    urls = (await large(file_multipart_count=10_000))[1]
    assert len(set(urls)) == 10_000
    query = parse_qs(urlsplit(urls[41]).query)
    assert query["partNumber"] == ["42"]
    assert query.keys() == {"partNumber", "uploadId", "AccessKeyId", "Expires", "Signature"}


@pytest.mark.parametrize("count", [0, 10_001, -1, "2", 1.5, True, None])
async def test_an_invalid_number_of_parts_is_refused(call: Any, count: Any) -> None:
    answer = await call(LARGE, {**ASKED_LARGE, "file_multipart_count": count})
    assert is_refused(answer, 400, "MSS.00000003", "Invalid parameter: file_multipart_count")


async def test_a_part_url_takes_neither_a_type_nor_an_md5_nor_another_part(large: Any, put: Any) -> None:
    _, (url, _) = await large(file_multipart_count=2)
    for request in (
        put(url, Content_Type="image/png"),
        put(url, Content_MD5=MD5),
        put(url.replace("partNumber=1", "partNumber=2")),
        put(url.replace("partNumber=1&", "")),
        put(url.replace("uploadId=", "uploadId=0")),
    ):
        status, _, text = await request
        assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)


async def test_a_missing_part_or_a_wrong_sum_is_refused_and_can_be_corrected(call: Any, large: Any, put: Any) -> None:
    file_id, urls = await large(file_multipart_count=2, file_size=8)
    await put(urls[0], b"four")
    assert is_refused(await call(complete(file_id), CREATED), 400, "MSS.00000003", "Invalid parameter: the file, or a")
    await put(urls[1], b"three")
    assert is_refused(await call(complete(file_id), CREATED), 400, "MSS.00000003", "Invalid parameter: file_size was 8")
    await put(urls[1], b"four")
    assert (await call(complete(file_id), CREATED))[0] == 200


async def test_parts_are_refused_after_completion(call: Any, large: Any, put: Any) -> None:
    done, given_up, deleted = [await large(file_size=1) for _ in range(3)]
    for _, (url,) in (done, given_up, deleted):
        await put(url, b"x")
    assert (await call(complete(done[0]), CREATED))[0] == 200
    assert (await call(complete(given_up[0]), {"state": "CANCELLED"}))[0] == 200
    assert (await call(f"{FILES}/{deleted[0]}", method="DELETE"))[0] == 200
    for _, (url,) in (done, given_up, deleted):
        status, _, text = await put(url, b"x")
        assert (status, "<Code>NoSuchUpload</Code>" in text) == (404, True)


async def test_of_two_completions_at_once_one_succeeds(call: Any, large: Any, put: Any) -> None:
    file_id, (url,) = await large(file_size=4 << 20)
    await put(url, bytes(4 << 20))
    answers = await asyncio.gather(*(call(complete(file_id), CREATED) for _ in range(4)))
    assert sorted(answer[0] for answer in answers) == [200, 409, 409, 409]


async def test_throttling_has_no_retry_after(server: LocalServer, call: Any, create: Any) -> None:
    file_id, _ = await create()
    set_faults(server, "retry-later")
    for path, body in ((FILES, ASKED), (LARGE, ASKED_LARGE), (complete(file_id), {"state": "FAILED"})):
        answer = await call(path, body)
        assert is_refused(answer, 429, "APIGW.0308", "The throttling threshold has been reached")
        assert "Retry-After" not in answer[1]
    assert (await call("/v3/auth/tokens", PASSWORD, {}))[0] == 429


@pytest.mark.parametrize(
    ("fault", "status", "code", "start"),
    [
        ("unauthorized", 401, "APIGW.0301", "Incorrect IAM authentication information: "),
        ("status-503", 503, "APIGW.0202", "Backend unavailable"),
    ],
)
async def test_every_call_can_be_refused(
    server: LocalServer, call: Any, create: Any, fault: Any, status: Any, code: Any, start: Any
) -> None:
    file_id, _ = await create()
    for path, body, method in (
        (FILES, ASKED, "POST"),
        (LARGE, ASKED_LARGE, "POST"),
        (complete(file_id), {"state": "FAILED"}, "POST"),
        (f"{FILES}/{file_id}", b"", "DELETE"),
    ):
        set_faults(server, f"{fault},first=1")
        assert is_refused(await call(path, body, method=method), status, code, start)
        assert (await call(path, body, method=method))[0] == 200
    set_faults(server, fault)
    assert (await call("/v3/auth/tokens", PASSWORD, {}))[0] == status


async def test_refused_calls_use_up_no_faults(server: LocalServer, call: Any) -> None:
    set_faults(server, "status-503,first=1")
    assert (await call(FILES, {}))[0] == 400
    assert (await call(FILES, ASKED, {}))[0] == 401
    assert (await call(complete("x"), CREATED))[0] == 404
    assert (await call(FILES, ASKED))[0] == 503


async def test_a_short_answer_has_no_url(server: LocalServer, call: Any) -> None:
    set_faults(server, "short-answer")
    for path, body in ((FILES, ASKED), (LARGE, ASKED_LARGE)):
        status, _, answer = await call(path, body)
        assert (status, list(answer)) == (200, ["file_id"])
    assert server.stats()["presign_calls"] == 2
    assert server.stats()["tickets"] == 0


async def test_a_disk_that_fails_is_an_internal_error(
    server: LocalServer, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    state = os.path.join(os.path.dirname(server.objects_dir), "state")
    os.rename(os.path.join(state, "parts"), os.path.join(state, "gone"))
    assert is_refused(await call(LARGE, ASKED_LARGE), 500, "MSS.00000004", "Internal Error")
    assert "local-token" not in caplog.text
