"""Xvid's API over real sockets: tokens, sessions and their forms, and the end of an upload."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest
from aiohttp import ClientSession

from bulkup.localserver import LocalServer, ServerConfig
from localserver.world import BEARER, NOW, FakeClock, set_faults

UPLOADS = "/v1/files/uploads"
PIPELINE = "53a1ac4914eaa8ffa4fce91b"
KEY = "uploads/test é.mp4"
DATA = bytes(range(256)) * 8
ONE_CHUNK = {"upload": {"nb_chunks": 1}}
CLIENT = {
    "grant_type": "client_credential",
    "client_id": "local-client",
    "client_secret": "local-client-secret",
    "scope": "mediahub",
}


@pytest.fixture
def clock() -> FakeClock:
    """Not at a full second, so that rounding shows."""
    return FakeClock(NOW + 0.25)


@pytest.fixture
def call(server: LocalServer, http: ClientSession) -> Any:
    """Return a function that makes a call and returns status, headers and decoded body."""

    async def make(method: Any, path: Any, body: Any = None, headers: Any = BEARER) -> Any:
        data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with http.request(method, server.url + path, data=data, headers=headers) as answer:
            assert answer.content_type == "application/json"
            return answer.status, answer.headers, await answer.json()

    return make


@pytest.fixture
def begin(call: Any) -> Any:
    """Return a function that begins a session and returns its upload from the answer."""

    async def make(object_key: Any = KEY, **more: Any) -> Any:
        status, _, body = await call("POST", f"{UPLOADS}/?" + asked(object_key=object_key, **more))
        assert status == 200
        return body["upload"]

    return make


@pytest.fixture
def post_form(http: ClientSession) -> Any:
    async def send(upload: Any, data: Any = DATA) -> Any:
        form = aiohttp.FormData()
        for name, value in upload["form_post_params"].items():
            form.add_field(name, value)
        form.add_field("file", data, filename="whatever")
        async with http.post(upload["form_post_url"], data=form) as answer:
            return answer.status, answer.headers, await answer.text()

    return send


@pytest.fixture
def uploaded(begin: Any, post_form: Any) -> Any:
    """Return a function that begins a session, posts its form, and returns its id."""

    async def make(object_key: Any = KEY) -> Any:
        upload = await begin(object_key)
        assert (await post_form(upload))[0] == 201
        return upload["id"]

    return make


def asked(**parameters: Any) -> Any:
    given = {"object_key": KEY, "pipeline_id": PIPELINE, **parameters}
    return urlencode({name: value for name, value in given.items() if value is not None})


def is_refused(answer: Any, status: Any, code: Any, start: Any) -> Any:
    assert answer[0] == status, answer
    assert answer[2].keys() == {"error"}
    assert answer[2]["error"]["error_code"] == code
    assert answer[2]["error"]["error_message"].startswith(start), answer[2]
    return True


async def test_a_session_is_begun_posted_and_finished(
    server: LocalServer, call: Any, begin: Any, post_form: Any, clock: FakeClock
) -> None:
    upload = await begin()
    assert list(upload) == [
        *("form_post_params", "form_post_url", "status", "object_key", "nb_chunks"),
        *("type", "pipeline", "file", "id"),
    ]
    params = upload["form_post_params"]
    assert list(params) == [
        *("name", "success_action_status", "filename", "chunk", "chunks"),
        *("policy", "signature", "AWSAccessKeyId", "key", "acl"),
    ]
    assert params | {"policy": "", "signature": "", "AWSAccessKeyId": ""} == {
        "name": "test é.mp4",
        "success_action_status": "201",
        "filename": "",
        "chunk": "0",
        "chunks": "1",
        "policy": "",
        "signature": "",
        "AWSAccessKeyId": "",
        "key": f"tmp/{PIPELINE}/{KEY}",
        "acl": "private",
    }
    assert re.fullmatch(rf"{1_700_000_000:08x}[0-9a-f]{{16}}", upload["id"])
    assert upload["file"] == {"id": upload["id"]}
    assert upload["pipeline"] == {"id": PIPELINE}
    assert (upload["status"], upload["object_key"], upload["nb_chunks"], upload["type"]) == ("UPLOADING", KEY, 0, "S3")
    assert re.fullmatch(re.escape(server.url) + "/[^/]+/", upload["form_post_url"])
    status, headers, text = await post_form(upload)
    assert (status, headers["ETag"]) == (201, f'"{hashlib.md5(DATA).hexdigest()}"')
    assert ET.fromstring(text).findtext("Key") == params["key"]

    expected = {name: value for name, value in upload.items() if name not in ("form_post_params", "type")}
    expected |= {"storage_type": "S3"}
    one = f"{UPLOADS}/{upload['id']}"
    assert (await call("GET", one))[2] == {"upload": expected}
    expected |= {"nb_chunks": 1, "status": "COMPLETING"}
    assert (await call("PUT", one, ONE_CHUNK))[2] == {"upload": expected}
    assert (await call("GET", one))[2] == {"upload": expected}
    clock.offset = 0.25
    assert (await call("GET", one))[2] == {"upload": expected | {"status": "COMPLETED"}}
    bucket = upload["form_post_url"].removeprefix(server.url)
    with open(os.path.join(server.objects_dir, bucket.strip("/"), params["key"]), "rb") as file:
        assert file.read() == DATA
    assert server.stats() == {
        "presign_calls": 1,
        "tickets": 1,
        "puts_completed": 1,
        "puts_failed": 0,
        "bytes": len(DATA),
    }


@pytest.mark.parametrize("key", ["a\nb.mp4", "a\rb.mp4", "a\r\nb.mp4", "a\tb\n/\x7f.mp4"])
async def test_a_key_with_control_characters_is_repeated_exactly(
    http: ClientSession, server: LocalServer, begin: Any, post_form: Any, key: str
) -> None:
    """In XML too, where parsers read a plain carriage return as a line feed."""
    status, _, text = await post_form(await begin(key))
    assert (status, ET.fromstring(text).findtext("Key")) == (201, f"tmp/{PIPELINE}/{key}")
    async with http.post(f"{server.url}{UPLOADS}/?{asked(object_key=key, format='xml')}", headers=BEARER) as answer:
        assert ET.fromstring(await answer.text()).findtext("object_key") == key


async def test_the_policy_fits_its_form_and_is_valid_for_half_an_hour(
    begin: Any, post_form: Any, clock: FakeClock
) -> None:
    upload = await begin()
    policy = json.loads(base64.b64decode(upload["form_post_params"]["policy"]))
    assert policy["expiration"] == "2023-11-14T22:43:21.000Z"
    assert ["starts-with", "$key", f"tmp/{PIPELINE}/"] in policy["conditions"]
    assert ["content-length-range", 0, 5 << 30] in policy["conditions"]
    clock.offset = 1800.75
    assert (await post_form(upload))[0] == 201
    clock.offset = 1800.76
    status, _, text = await post_form(upload)
    assert (status, "Invalid according to Policy: Policy expired." in text) == (403, True)


async def test_a_form_with_an_extra_or_a_missing_field_is_refused(begin: Any, post_form: Any) -> None:
    for name in ("name", "success_action_status", "filename", "chunk", "chunks", "acl"):
        upload = await begin()
        del upload["form_post_params"][name]
        status, _, text = await post_form(upload)
        assert (status, "Policy Condition failed" in text) == (403, True)
    upload = await begin()
    upload["form_post_params"]["Content-Type"] = "video/mp4"
    status, _, text = await post_form(upload)
    assert (status, "Extra input fields: content-type" in text) == (403, True)


async def test_the_lifetime_of_urls_can_be_set(tmp_path: Path, http: ClientSession) -> None:
    config = ServerConfig(store=str(tmp_path), url_ttl=5)
    async with (
        LocalServer(config, FakeClock(NOW + 0.25)) as server,
        http.post(f"{server.url}{UPLOADS}?{asked()}", headers=BEARER) as answer,
    ):
        params = (await answer.json())["upload"]["form_post_params"]
    assert json.loads(base64.b64decode(params["policy"]))["expiration"] == "2023-11-14T22:13:26.000Z"


async def test_an_empty_file_is_accepted(call: Any, begin: Any, post_form: Any) -> None:
    upload = await begin()
    assert (await post_form(upload, b""))[0] == 201
    assert (await call("PUT", f"{UPLOADS}/{upload['id']}", ONE_CHUNK))[0] == 200


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        *(({"object_key": key}, "object_key") for key in (None, "", "a//b", "/a", "a/", ".", "a/../b", "a/./b")),
        *(({"object_key": key}, "object_key") for key in ("x" * 256, "é/" * 400, "a\0b", "a\1b", "\uffff")),
        *(({"pipeline_id": pipeline}, "pipeline_id") for pipeline in (None, "", "a/b", "..", "x" * 65, "é")),
        *(({"expires_at": moment}, "expires_at") for moment in ("", "-1", "1.5", "soon", "9" * 12)),
        *(({"ip": ip}, "ip") for ip in ("", "127.0.0.1", "-1", str(1 << 32))),
        *(({"format": form}, "format") for form in ("", "yaml", "JSON")),
        *(({"human": human}, "human") for human in ("", "1", "yes")),
    ],
)
async def test_a_wrong_parameter_is_invalid_input(server: LocalServer, call: Any, parameters: Any, name: Any) -> None:
    answer = await call("POST", f"{UPLOADS}/?" + asked(**parameters))
    assert is_refused(answer, 400, "0x0230001", f"Invalid Input: {name}")
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 0


async def test_parameters_that_are_not_utf8_are_invalid_input(call: Any) -> None:
    answer = await call("POST", f"{UPLOADS}/?pipeline_id=p&object_key=%FF")
    assert is_refused(answer, 400, "0x0230001", "Invalid Input: the parameters")


async def test_optional_parameters_are_accepted(begin: Any) -> None:
    for parameters in (
        {"expires_at": "0"},
        {"expires_at": "1800000000"},
        {"ip": str((1 << 32) - 1)},
        {"human": "true"},
    ):
        assert (await begin(**parameters))["status"] == "UPLOADING"
    for key in ("a", "ä\n/b %+&.mp4", "x" * 255):
        assert (await begin(key))["object_key"] == key


@pytest.mark.parametrize("header", [None, "", "local-token", "Bearer nope", "Bearer", "bearer local-token", "Bearer é"])
async def test_a_bad_token_is_403(server: LocalServer, call: Any, header: Any) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (
        ("POST", f"{UPLOADS}/?{asked()}"),
        ("POST", f"{UPLOADS}/"),
        ("PUT", f"{UPLOADS}/x"),
        ("GET", f"{UPLOADS}/x"),
    ):
        assert is_refused(await call(method, path, headers=headers), 403, "0x0000003", "Invalid access token")
    assert server.stats()["presign_calls"] == 2


def form_of(**changes: Any) -> Any:
    fields = {name: value for name, value in {**CLIENT, **changes}.items() if value is not None}
    return urlencode(fields).encode()


async def token(call: Any, path: Any = "/v1/oauth2/token/", body: Any = None, kind: Any = None) -> Any:
    headers = {"Content-Type": kind or "application/x-www-form-urlencoded"}
    return await call("POST", path, form_of() if body is None else body, headers)


@pytest.mark.parametrize("path", ["/v1/oauth2/token", "/v1/oauth2/token/"])
async def test_oauth_issues_a_token_for_two_hours(call: Any, clock: FakeClock, path: Any) -> None:
    status, _, body = await token(call, path)
    assert status == 200
    assert body.keys() == {"access_token", "expires_in"}
    assert body["expires_in"] == "7200"
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    clock.offset = 7199.0
    assert (await call("POST", f"{UPLOADS}?{asked()}", headers=bearer))[0] == 200
    clock.offset = 7200.0
    answer = await call("POST", f"{UPLOADS}?{asked()}", headers=bearer)
    assert is_refused(answer, 403, "0x0000003", "Invalid access token")


async def test_the_lifetime_of_a_token_can_be_requested(call: Any, clock: FakeClock) -> None:
    in_body = await token(call, body=form_of(expires_in="60"))
    in_query = await token(call, "/v1/oauth2/token/?human=true&expires_in=60")
    assert in_body[2]["expires_in"] == in_query[2]["expires_in"] == "60"
    clock.offset = 60.0
    for _, _, body in (in_body, in_query):
        bearer = {"Authorization": f"Bearer {body['access_token']}"}
        assert (await call("POST", f"{UPLOADS}?{asked()}", headers=bearer))[0] == 403


@pytest.mark.parametrize(
    ("scope", "status"),
    [("mediahub", 200), ("me,mediahub_write", 200), ("mediahub_read", 403), ("me,autograph", 403)],
)
async def test_only_tokens_with_a_writing_scope_allow_uploads(call: Any, scope: Any, status: Any) -> None:
    bearer = {"Authorization": "Bearer " + (await token(call, body=form_of(scope=scope)))[2]["access_token"]}
    assert (await call("POST", f"{UPLOADS}?{asked()}", headers=bearer))[0] == status


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        *((form_of(grant_type=grant), None) for grant in ("client_credentials", "password", "", None)),
        *((form_of(scope=scope), None) for scope in (None, "", "everything", "mediahub mediahub_read")),
        *((form_of(expires_in=life), None) for life in ("-1", "x", "604801")),
        (b"\xff", None),
        (b"grant_type=%ff", None),
        (json.dumps(CLIENT).encode(), "application/json"),
        (form_of(), "text/plain"),
    ],
)
async def test_oauth_refuses_invalid_bodies(call: Any, body: Any, kind: Any) -> None:
    assert is_refused(await token(call, body=body, kind=kind), 400, "0x0230001", "Invalid Input: ")


@pytest.mark.parametrize(
    "change", [{"client_id": "x"}, {"client_secret": "x"}, {"client_id": None}, {"client_id": "é"}]
)
async def test_oauth_refuses_wrong_credentials(call: Any, change: Any) -> None:
    assert is_refused(await token(call, body=form_of(**change)), 403, "0x0000003", "Invalid client credentials")


async def test_a_token_ends_when_the_client_secret_changes(server: LocalServer, call: Any) -> None:
    bearer = {"Authorization": f"Bearer {(await token(call))[2]['access_token']}"}
    server.set_credentials(client_secret="rotated")
    assert (await call("POST", f"{UPLOADS}?{asked()}", headers=bearer))[0] == 403
    assert (await token(call))[0] == 403
    assert (await token(call, body=form_of(client_secret="rotated")))[0] == 200


async def test_an_upload_is_finished_once_and_only_after_the_file(
    call: Any, begin: Any, post_form: Any, clock: FakeClock
) -> None:
    upload = await begin()
    one = f"{UPLOADS}/{upload['id']}"
    answer = await call("PUT", one, ONE_CHUNK)
    assert is_refused(answer, 400, "0x0230001", "Invalid Input: the file has not been uploaded")
    await post_form(upload)
    assert (await call("PUT", one + "/", ONE_CHUNK))[0] == 200
    for offset in (0.0, 60.0):
        clock.offset = offset
        answer = await call("PUT", one, ONE_CHUNK)
        assert is_refused(answer, 400, "0x0230001", "Invalid Input: the upload has been finished already")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", [], {}, {"nb_chunks": 1}, {"upload": 1}]
    + [{"upload": {"nb_chunks": chunks}} for chunks in (0, 2, "1", True, 1.5, None)],
)
async def test_a_finish_call_needs_the_number_of_chunks(call: Any, uploaded: Any, body: Any) -> None:
    answer = await call("PUT", f"{UPLOADS}/{await uploaded()}", body)
    assert is_refused(answer, 400, "0x0230001", "Invalid Input: ")


@pytest.mark.parametrize("upload_id", ["0" * 24, "x", "..%2fx", "%00"])
async def test_an_unknown_upload_is_not_found(call: Any, upload_id: Any) -> None:
    for method, body in (("GET", None), ("PUT", ONE_CHUNK)):
        answer = await call(method, f"{UPLOADS}/{upload_id}", body)
        assert is_refused(answer, 404, "0x0230002", "Requested file does not exist")


@pytest.mark.parametrize(("there", "asked_for"), [("a/b", "a"), ("a", "a/b")])
async def test_a_key_above_or_below_another_is_not_an_object(
    call: Any, uploaded: Any, begin: Any, there: str, asked_for: str
) -> None:
    """Objects are files in folders: a folder is not an object, and a path below a file does not exist."""
    await uploaded(there)
    upload = await begin(asked_for)
    answer = await call("PUT", f"{UPLOADS}/{upload['id']}", ONE_CHUNK)
    assert is_refused(answer, 400, "0x0230001", "Invalid Input: the file has not been uploaded")


async def test_two_sessions_of_one_key_have_the_same_object(call: Any, uploaded: Any, begin: Any) -> None:
    first, second = await uploaded(), (await begin())["id"]
    assert first != second
    for upload_id in (first, second):
        assert (await call("PUT", f"{UPLOADS}/{upload_id}", ONE_CHUNK))[0] == 200


async def test_uploads_forms_and_tokens_survive_a_restart(tmp_path: Path, http: ClientSession) -> None:
    config = ServerConfig(store=str(tmp_path), prefer_last_port=True)
    async with LocalServer(config) as server:
        async with http.post(f"{server.url}/v1/oauth2/token", data=CLIENT) as answer:
            bearer = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        async with http.post(f"{server.url}{UPLOADS}?{asked()}", headers=bearer) as answer:
            upload = (await answer.json())["upload"]
    async with LocalServer(config) as server:
        form = aiohttp.FormData(upload["form_post_params"])
        form.add_field("file", DATA, filename="a.mp4")
        async with http.post(upload["form_post_url"], data=form) as answer:
            assert answer.status == 201
        one = f"{server.url}{UPLOADS}/{upload['id']}"
        async with http.put(one, json=ONE_CHUNK, headers=bearer) as answer:
            assert answer.status == 200
    async with LocalServer(config) as server, http.put(one, json=ONE_CHUNK, headers=bearer) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("query", "accept", "is_xml"),
    [
        ("", "application/xml", True),
        ("", "application/xml;q=0.9, application/json;q=0.1", True),
        ("", "application/json, application/xml", False),
        ("", "*/*", False),
        ("&format=xml", "application/json", True),
        ("&format=json", "application/xml", False),
    ],
)
async def test_answers_have_the_requested_format(
    server: LocalServer, http: ClientSession, query: Any, accept: Any, is_xml: Any
) -> None:
    headers = {**BEARER, "Accept": accept}
    async with http.post(f"{server.url}{UPLOADS}/?{asked()}{query}", headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == ("application/xml" if is_xml else "application/json")


async def test_xml_has_an_element_for_every_field(server: LocalServer, http: ClientSession) -> None:
    key = "a/<b> & é\n.mp4"
    url = f"{server.url}{UPLOADS}/?{asked(object_key=key, format='xml')}"
    texts = []
    for query in ("", "&human=true"):
        async with http.post(url + query, headers=BEARER) as answer:
            texts.append(await answer.text())
            root = ET.fromstring(texts[-1])
        assert root.tag == "upload"
        assert [element.tag for element in root] == [
            *("form_post_params", "form_post_url", "status", "object_key", "nb_chunks"),
            *("type", "pipeline", "file", "id"),
        ]
        assert root.findtext("form_post_params/key") == f"tmp/{PIPELINE}/{key}"
        assert root.findtext("form_post_params/filename") == ""
        assert root.findtext("nb_chunks") == "0"
        assert root.findtext("pipeline/id") == PIPELINE
        assert root.findtext("file/id") == root.findtext("id")
    assert texts[0].count("\n") < texts[1].count("\n")
    async with http.get(f"{server.url}{UPLOADS}/x?format=xml", headers=BEARER) as answer:
        root = ET.fromstring(await answer.text())
    assert (answer.status, root.tag) == (404, "error")
    assert [(element.tag, element.text) for element in root] == [
        ("error_code", "0x0230002"),
        ("error_message", "Requested file does not exist"),
    ]


async def test_human_changes_only_the_layout(server: LocalServer, http: ClientSession) -> None:
    async with http.get(f"{server.url}{UPLOADS}/x?human=true", headers=BEARER) as answer:
        text = await answer.text()
    assert text.startswith('{\n  "error": {\n')
    assert json.loads(text)["error"]["error_code"] == "0x0230002"


@pytest.mark.parametrize(
    ("fault", "status", "code", "start"),
    [
        ("unauthorized", 403, "0x0000003", "Invalid access token"),
        ("status-503", 503, "0x0000001", "Internal Error"),
        ("retry-later,first=1", 429, "0x0000004", "Too many requests"),
    ],
)
async def test_every_call_can_be_refused(
    server: LocalServer, call: Any, uploaded: Any, fault: Any, status: Any, code: Any, start: Any
) -> None:
    upload_id = await uploaded()
    for make in (
        lambda: call("POST", f"{UPLOADS}?{asked()}"),
        lambda: call("GET", f"{UPLOADS}/{upload_id}"),
        lambda: call("PUT", f"{UPLOADS}/{upload_id}", ONE_CHUNK),
        lambda: token(call),
    ):
        set_faults(server, fault.partition(",")[0] + ",first=1")
        answer = await make()
        assert is_refused(answer, status, code, start)
        assert answer[1].get("Retry-After") == ("2" if status == 429 else None)
        assert (await make())[0] == 200


async def test_refused_calls_use_up_no_faults(server: LocalServer, call: Any, begin: Any) -> None:
    upload = await begin()
    set_faults(server, "status-503,first=1")
    assert (await call("POST", UPLOADS))[0] == 400
    assert (await call("GET", f"{UPLOADS}/x"))[0] == 404
    assert (await call("PUT", f"{UPLOADS}/{upload['id']}", ONE_CHUNK))[0] == 400
    assert (await call("GET", f"{UPLOADS}/{upload['id']}", headers={}))[0] == 403
    assert (await call("GET", f"{UPLOADS}/{upload['id']}"))[0] == 503


async def test_a_short_answer_has_no_form(server: LocalServer, call: Any) -> None:
    set_faults(server, "short-answer")
    status, _, body = await call("POST", f"{UPLOADS}?{asked()}")
    assert status == 200
    assert "form_post_params" not in body["upload"]
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 0


async def test_a_body_that_is_too_large_is_refused(call: Any, uploaded: Any) -> None:
    answer = await call("PUT", f"{UPLOADS}/{await uploaded()}", b" " * ((8 << 20) + 1))
    assert is_refused(answer, 413, "0x0230001", "Invalid Input: The body is larger")


async def test_keys_with_escaped_characters_are_stored_unescaped(server: LocalServer, uploaded: Any) -> None:
    key = "a+b %41&c=d#e?.mp4"
    await uploaded(key)
    assert [names for _, _, names in os.walk(server.objects_dir) if names] == [[key]]
    assert quote(key) != key
