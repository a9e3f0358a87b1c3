"""Form POSTs to the embedded store over real sockets, as S3 takes them, with botocore as an independent signer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import botocore.config
import botocore.session
import pytest
from aiohttp import ClientSession

from bulkup.localserver import FaultOptions, LocalServer, ReadPace, ServerConfig
from bulkup.localserver.s3 import sigv2
from localserver.world import HANG, FakeClock, exchange, request_head, set_faults, signing_key, stored_paths, unfinished

DATA = b"some bytes"
LARGE = os.urandom(3 << 20)
MD5 = hashlib.md5(DATA).hexdigest()


def proof(server: LocalServer, *conditions: Any) -> Any:
    """Return the fields of a signed policy for the bucket `b`: it has these conditions and is valid for 60 seconds."""
    policy = {"expiration": "2023-11-14T22:14:20.000Z", "conditions": [{"bucket": "b"}, *conditions]}
    text = base64.b64encode(json.dumps(policy).encode()).decode()
    key = signing_key(server)
    return {"AWSAccessKeyId": key.permanent_id, "policy": text, "signature": sigv2.signature(key.secret, text)}


def signed(server: LocalServer, *conditions: Any, **fields: Any) -> Any:
    """Return the fields of a form with a policy that allows exactly these fields, and has these conditions too."""
    fields = {"key": "tmp/a.bin", **fields}
    return {**fields, **proof(server, *({name: value} for name, value in fields.items()), *conditions)}


def signed_any_key(server: LocalServer) -> Any:
    """Return the fields of a form whose policy allows any key that begins with tmp/."""
    return {"key": "tmp/", **proof(server, ["starts-with", "$key", "tmp/"])}


def written(fields: Any, data: Any = DATA, after: Any = (), file: Any = "file", boundary: Any = b"BoUnD") -> Any:
    """Return the body of a form. Without `data` it has no file."""
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name.encode(), value.encode())
        for name, value in fields.items()
    ]
    if data is not None:
        head = b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="dir/a b.bin"\r\n' % (
            boundary,
            file.encode(),
        )
        parts.append(head + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n")
    return b"".join([*parts, *after, b"--%b--\r\n" % boundary])


async def post(server: LocalServer, http: ClientSession, body: Any, path: Any = "/b/", **headers: Any) -> Any:
    sent = {"Content-Type": "multipart/form-data; boundary=BoUnD", **headers}

    async def stream() -> Any:
        yield body

    # An explicit length and a stream: aiohttp warns of large bodies that are not files.
    sent["Content-Length"] = str(len(body))
    async with http.post(server.url + path, data=stream(), headers=sent) as answer:
        return answer.status, answer.headers, await answer.read()


async def refused(server: LocalServer, http: ClientSession, body: Any, path: Any = "/b/", **headers: Any) -> Any:
    """Return status and elements of an error answer, and check that nothing was stored."""
    status, answered, content = await post(server, http, body, path, **headers)
    assert answered["Content-Type"].startswith("application/xml")
    assert stored_paths(server) == unfinished(server) == []
    return status, {element.tag: element.text for element in ET.fromstring(content)}


def form_head(server: LocalServer, *lines: str) -> bytes:
    return request_head("POST", f"{server.url}/b/", "Content-Type: multipart/form-data; boundary=BoUnD", *lines)


def content_of(server: LocalServer, key: Any) -> Any:
    with open(os.path.join(server.objects_dir, key), "rb") as file:
        return file.read()


@pytest.mark.parametrize("data", [b"", DATA, LARGE, b"\r\n--BoUn\r\n" * 100], ids=["empty", "small", "large", "tricky"])
async def test_a_form_stores_its_file_and_answers_with_a_document(
    server: LocalServer, http: ClientSession, data: Any
) -> None:
    status, headers, body = await post(server, http, written(signed(server, success_action_status="201"), data))
    md5 = hashlib.md5(data).hexdigest()
    assert status == 201
    assert headers["ETag"] == f'"{md5}"'
    assert headers["Content-Type"] == "application/xml"
    root = ET.fromstring(body)
    assert root.tag == "PostResponse"
    assert [(element.tag, element.text) for element in root] == [
        ("Location", f"{server.url}/b/tmp/a.bin"),
        ("Bucket", "b"),
        ("Key", "tmp/a.bin"),
        ("ETag", f'"{md5}"'),
    ]
    assert content_of(server, "b/tmp/a.bin") == data
    assert unfinished(server) == []
    assert server.stats() == {
        "presign_calls": 0,
        "tickets": 0,
        "puts_completed": 1,
        "puts_failed": 0,
        "bytes": len(data),
    }


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("204", 204), ("403", 204), ("", 204), (None, 204)])
async def test_other_answers_are_empty(server: LocalServer, http: ClientSession, asked: Any, status: Any) -> None:
    fields = signed(server) if asked is None else signed(server, success_action_status=asked)
    answered, headers, body = await post(server, http, written(fields), path="/b")
    assert (answered, body, headers["ETag"]) == (status, b"", f'"{MD5}"')


async def test_forms_made_by_botocore_are_accepted(tmp_path: Path, http: ClientSession) -> None:
    async with LocalServer(ServerConfig(store=str(tmp_path))) as server:
        key = signing_key(server)
        client = botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=server.url,
            aws_access_key_id=key.permanent_id,
            aws_secret_access_key=key.secret,
            config=botocore.config.Config(signature_version="s3", s3={"addressing_style": "path"}),
        )
        made = client.generate_presigned_post(
            "bucket",
            "dir/${filename}",
            Fields={"acl": "private", "success_action_status": "201", "x-amz-meta-a": "é"},
            Conditions=[
                {"acl": "private"},
                {"success_action_status": "201"},
                ["starts-with", "$x-amz-meta-a", ""],
                ["content-length-range", 1, 100],
            ],
            ExpiresIn=60,
        )
        form = aiohttp.FormData()
        for name, value in made["fields"].items():
            form.add_field(name, value)
        form.add_field("file", DATA, filename="a.bin")
        async with http.post(made["url"], data=form) as answer:
            assert answer.status == 201, await answer.text()
        assert content_of(server, "bucket/dir/a.bin") == DATA


async def test_filename_in_the_key_is_replaced(server: LocalServer, http: ClientSession) -> None:
    fields = {**signed_any_key(server), "key": "tmp/x-${filename}"}
    status, headers, _ = await post(server, http, written(fields))
    assert (status, headers["Location"]) == (204, f"{server.url}/b/tmp/x-a%20b.bin")
    assert content_of(server, "b/tmp/x-a b.bin") == DATA


@pytest.mark.parametrize(
    "key", ["tmp/../../state/keys.json", "tmp//x", "tmp/./x", "tmp/", "tmp/\0", "tmp/..", "tmp/a/"]
)
async def test_keys_that_leave_the_bucket_are_refused(server: LocalServer, http: ClientSession, key: Any) -> None:
    status, error = await refused(server, http, written({**signed_any_key(server), "key": key}))
    assert (status, error["Code"]) == (400, "InvalidURI")


async def test_a_key_that_is_too_long_is_refused(server: LocalServer, http: ClientSession) -> None:
    status, error = await refused(server, http, written({**signed_any_key(server), "key": "tmp/" + "x" * 256}))
    assert (status, error["Code"]) == (400, "KeyTooLongError")


async def test_an_expired_policy_is_refused_as_s3_refuses_it(
    server: LocalServer, http: ClientSession, clock: FakeClock
) -> None:
    body = written(signed(server))
    clock.offset = 60.0
    assert (await post(server, http, body))[0] == 204
    os.unlink(stored_paths(server)[0])
    clock.offset = 60.01
    status, error = await refused(server, http, body)
    assert (status, error["Code"]) == (403, "AccessDenied")
    assert error["Message"] == "Invalid according to Policy: Policy expired."
    assert error["Resource"] == "/b/"


async def test_forms_that_the_policy_does_not_allow_are_refused(server: LocalServer, http: ClientSession) -> None:
    for body, path, message in (
        (written({**signed(server), "chunk": "0"}), "/b/", "Extra input fields: chunk"),
        (written(signed(server)), "/c/", 'Policy Condition failed: ["eq", "$bucket", "b"]'),
        (
            written({**signed(server, acl="private"), "acl": "public-read"}),
            "/b/",
            'Policy Condition failed: ["eq", "$acl", "private"]',
        ),
    ):
        status, error = await refused(server, http, body, path)
        assert (status, error["Code"]) == (403, "AccessDenied")
        assert error["Message"] == f"Invalid according to Policy: {message}"
    assert server.stats()["puts_failed"] == 3


async def test_a_wrong_signature_stores_nothing(server: LocalServer, http: ClientSession) -> None:
    status, error = await refused(server, http, written({**signed(server), "signature": "x"}))
    assert (status, error["Code"]) == (403, "SignatureDoesNotMatch")
    status, error = await refused(server, http, written({**signed(server), "AWSAccessKeyId": "AKIAOTHER"}))
    assert (status, error["Code"]) == (403, "InvalidAccessKeyId")


async def test_the_file_must_be_the_last_field(server: LocalServer, http: ClientSession) -> None:
    fields = signed(server)
    rest = [written({name: value}, None).removesuffix(b"--BoUnD--\r\n") for name, value in fields.items()]
    status, error = await refused(server, http, written({}, DATA, after=rest))
    assert (status, error["Code"]) == (400, "InvalidArgument")
    assert error["Message"] == (
        "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields."
    )


async def test_fields_after_the_file_are_ignored_but_not_a_second_file(
    server: LocalServer, http: ClientSession
) -> None:
    ignored = written({"chunk": "0", "submit": "x"}, None).removesuffix(b"--BoUnD--\r\n")
    second = written({}, LARGE).removesuffix(b"--BoUnD--\r\n")
    status, error = await refused(server, http, written(signed(server), DATA, after=[ignored, second]))
    assert (status, error["Code"]) == (400, "IncorrectNumberOfFilesInPostRequest")
    status, error = await refused(server, http, written(signed(server), None))
    assert (status, error["Code"]) == (400, "IncorrectNumberOfFilesInPostRequest")
    assert (await post(server, http, written(signed(server), DATA, after=[ignored])))[0] == 204
    assert content_of(server, "b/tmp/a.bin") == DATA


async def test_the_fields_may_not_be_large(server: LocalServer, http: ClientSession) -> None:
    large = {f"x-ignore-{n}": "x" * 8000 for n in range(3)}
    status, error = await refused(server, http, written({**signed(server), **large}, LARGE))
    assert (status, error["Code"]) == (400, "MaxPostPreDataLengthExceededError")
    assert (await post(server, http, written({**signed(server), "x-ignore-0": "x" * 15_000}, LARGE)))[0] == 204


@pytest.mark.parametrize(
    ("size", "code"),
    [(9, "EntityTooSmall"), (10, None), (3 << 20, None), ((3 << 20) + 1, "EntityTooLarge")],
)
async def test_a_policy_can_limit_the_size(server: LocalServer, http: ClientSession, size: Any, code: Any) -> None:
    body = written(signed(server, ["content-length-range", 10, 3 << 20]), b"x" * size)
    if code is None:
        assert (await post(server, http, body))[0] == 204
    else:
        status, error = await refused(server, http, body)
        assert (status, error["Code"]) == (400, code)


async def test_api_credentials_are_refused_by_the_store(server: LocalServer, http: ClientSession) -> None:
    status, error = await refused(server, http, written(signed(server)), Authorization="Bearer local-token")
    assert (status, error["Code"]) == (400, "InvalidArgument")
    assert error["Message"] == "Unsupported Authorization Type"


async def test_only_valid_forms_to_a_bucket_are_accepted(server: LocalServer, http: ClientSession) -> None:
    body = written(signed(server))
    for path in ("/b/key", "/"):
        assert (await refused(server, http, body, path))[0] == 405
    status, error = await refused(server, http, body, **{"Content-Type": "application/octet-stream"})
    assert (status, error["Code"]) == (412, "PreconditionFailed")
    assert error["Condition"] == "Bucket POST must be of the enclosure-type multipart/form-data"
    for broken in (b"", b"x", body[:-30], body.replace(b"BoUnD", b"other")):
        status, error = await refused(server, http, broken)
        assert (status, error["Code"]) == (400, "MalformedPOSTRequest")


async def test_a_form_needs_a_length(server: LocalServer) -> None:
    for lines in ((), ("Transfer-Encoding: chunked",)):
        answer = await exchange(server, form_head(server, *lines) + (b"0\r\n\r\n" if lines else b""))
        assert answer.startswith(b"HTTP/1.1 411 ")
        assert b"<Code>MissingContentLength</Code>" in answer


async def test_more_than_5_gib_is_too_large_before_a_byte_is_read(server: LocalServer) -> None:
    answer = await exchange(server, form_head(server, f"Content-Length: {(5 << 30) + (64 << 10) + 1}"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"<Code>EntityTooLarge</Code>" in answer


@pytest.mark.parametrize("cut", [10, 900, -10], ids=["in the fields", "in the file", "in the end"])
async def test_a_body_that_ends_early_stores_nothing(server: LocalServer, cut: Any) -> None:
    body = written(signed(server), LARGE)
    parts = urlsplit(server.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(form_head(server, f"Content-Length: {len(body)}") + body[:cut])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(HANG):
        while not server.stats()["puts_failed"]:
            await asyncio.sleep(0.01)
    assert stored_paths(server) == unfinished(server) == []


async def test_a_form_whose_file_has_no_end_stores_nothing(server: LocalServer, http: ClientSession) -> None:
    status, error = await refused(server, http, written(signed(server), LARGE)[:-20])
    assert (status, error["Code"]) == (400, "MalformedPOSTRequest")


async def test_100_continue_is_sent_only_for_an_acceptable_form(server: LocalServer) -> None:
    body = written(signed(server))
    expecting = ("Expect: 100-continue", f"Content-Length: {len(body)}")
    refusal = await exchange(server, form_head(server, "Authorization: Bearer x", *expecting))
    assert refusal.startswith(b"HTTP/1.1 400 ")
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(form_head(server, *expecting))
    async with asyncio.timeout(HANG):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
    writer.close()


async def test_the_connection_can_be_used_again(server: LocalServer) -> None:
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for fields, status in (({**signed(server), "chunk": "0"}, b"403"), (signed(server), b"204")):
        body = written(fields)
        lines = ("Content-Type: multipart/form-data; boundary=BoUnD", f"Content-Length: {len(body)}", "", "")
        writer.write("\r\n".join(["POST /b/ HTTP/1.1", f"Host: {parts.netloc}", *lines]).encode() + body)
        async with asyncio.timeout(HANG):
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 " + status)
            if b"content-length: " in answer.lower():
                await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].split()[0]))
    writer.close()


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        ("expired-url", 403, "AccessDenied", "Invalid according to Policy: Policy expired."),
        ("status-503", 503, "SlowDown", "Please reduce your request rate."),
    ],
)
async def test_the_store_answers_a_form_with_the_error_of_a_fault(
    server: LocalServer, http: ClientSession, fault: Any, status: Any, code: Any, message: Any
) -> None:
    set_faults(server, f"{fault},first=1")
    assert (await refused(server, http, written({**signed(server), "chunk": "0"})))[0] == 403  # uses up no fault
    answered, error = await refused(server, http, written(signed(server)))
    assert (answered, error["Code"], error["Message"]) == (status, code, message)
    assert (await post(server, http, written(signed(server))))[0] == 204
    assert server.stats()["puts_failed"] == 2


@pytest.mark.parametrize("data", [DATA, LARGE], ids=["small", "large"])
async def test_a_cut_form_ends_without_an_answer_and_stores_nothing(
    server: LocalServer, http: ClientSession, data: Any, caplog: pytest.LogCaptureFixture
) -> None:
    set_faults(server, "cut-body,first=1")
    with pytest.raises(aiohttp.ClientError):
        await post(server, http, written(signed(server), data))
    assert stored_paths(server) == unfinished(server) == []
    assert server.stats()["puts_failed"] == 1
    assert (await post(server, http, written(signed(server), data)))[0] == 204
    assert caplog.text == ""


async def test_a_slow_form_is_read_with_pauses_and_stored(server: LocalServer, http: ClientSession) -> None:
    set_faults(server, "slow-body", options=FaultOptions(slow_pace=ReadPace(10_000, 0.02)))
    data = os.urandom(100_000)
    began = time.monotonic()
    status, headers, _ = await post(server, http, written(signed(server), data))
    # The first block is read with the fields, at full speed.
    assert time.monotonic() - began >= 7 * 0.02
    assert (status, headers["ETag"]) == (204, f'"{hashlib.md5(data).hexdigest()}"')


async def test_a_wrong_etag_is_in_the_header_and_in_the_document(server: LocalServer, http: ClientSession) -> None:
    set_faults(server, "wrong-etag")
    status, headers, body = await post(server, http, written(signed(server, success_action_status="201")))
    assert status == 201
    assert headers["ETag"] != f'"{MD5}"'
    assert ET.fromstring(body).findtext("ETag") == headers["ETag"]
    assert content_of(server, "b/tmp/a.bin") == DATA
