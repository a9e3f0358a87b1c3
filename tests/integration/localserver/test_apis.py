"""The list APIs and the Move API over real sockets, and the server itself: answers, errors, counters, settings."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import io
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientSession

from bulkup.errors import MachineError, UsageError
from bulkup.localserver import FaultSpec, LocalServer, ServerConfig, ServerLimits
from bulkup.localserver.extension_lists import DEFAULT_LIST, EXTENSION_LISTS
from bulkup.localserver.record_log import RecordLog
from localserver.world import API_KEY, BEARER, LOCAL_PATH, MAGIC_HOUR_PATH, MOVE_PATH, NOW, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Not at a full second, so that rounding shows."""
    return FakeClock(NOW + 0.25)


@pytest.fixture
def post(server: LocalServer, http: ClientSession) -> Any:
    async def call(path: Any, body: Any, headers: Any) -> Any:
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with http.post(server.url + path, headers=headers, data=data) as answer:
            assert answer.content_type == "application/json"
            return answer.status, await answer.json()

    return call


@pytest.fixture
def graphql(post: Any) -> Any:
    async def call(query: Any, variables: Any = None, operation: Any = None, headers: Any = API_KEY) -> Any:
        body = {"query": query, "variables": variables, "operationName": operation}
        return await post(MOVE_PATH, {name: value for name, value in body.items() if value is not None}, headers)

    return call


async def test_magic_hour_answers_in_the_order_of_the_request(server: LocalServer, post: Any) -> None:
    asked = [("video", "mp4"), ("audio", "mp3"), ("image", "png"), ("video", "mp4")]
    status, body = await post(MAGIC_HOUR_PATH, {"items": [{"type": t, "extension": e} for t, e in asked]}, BEARER)
    assert status == 200
    assert [item["file_path"].rpartition(".")[2] for item in body["items"]] == [e for _, e in asked]
    assert len({item["file_path"] for item in body["items"]}) == 4
    for item in body["items"]:
        assert item.keys() == {"upload_url", "expires_at", "file_path"}
        assert re.fullmatch(r"api-assets/[^/]+/[^/]+\.\w+", item["file_path"])
        assert item["upload_url"].startswith(f"{server.url}/{item['file_path']}?")
        assert item["expires_at"] == "2023-11-14T23:13:21.000Z"
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 4


async def test_magic_hour_urls_are_signed_with_version_4(post: Any) -> None:
    _, body = await post(MAGIC_HOUR_PATH, {"items": [{"type": "video", "extension": "mp4"}]}, BEARER)
    query = parse_qs(urlsplit(body["items"][0]["upload_url"]).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert query["X-Amz-Expires"] == ["3600"]


ALL_EXTENSIONS = EXTENSION_LISTS[DEFAULT_LIST]


@pytest.mark.parametrize(("kind", "extension"), [(kind, e) for kind in ALL_EXTENSIONS for e in ALL_EXTENSIONS[kind]])
async def test_magic_hour_takes_the_extensions_of_each_type(post: Any, kind: Any, extension: Any) -> None:
    assert (await post(MAGIC_HOUR_PATH, {"items": [{"type": kind, "extension": extension}]}, BEARER))[0] == 200


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("sdk-page", ["audio/mpeg", "audio/aiff"], ["audio/m4a", "image/heic", "audio/ogg", "video/mpeg"]),
        ("api-reference", ["audio/m4a", "image/heif"], ["audio/mpeg", "audio/aiff", "image/jfif", "image/gif"]),
        ("latest", ["audio/aiff", "image/jfif", "audio/webm"], ["audio/mpeg", "video/gif"]),
    ],
)
async def test_magic_hour_can_be_strict_to_one_published_list(
    tmp_path: Path, http: ClientSession, name: str, accepted: list[str], refused: list[str]
) -> None:
    async with LocalServer(ServerConfig(store=str(tmp_path / "own"), magic_hour_extensions=name)) as server:
        for text in [*accepted, *refused]:
            kind, _, extension = text.partition("/")
            body = {"items": [{"type": kind, "extension": extension}]}
            async with http.post(server.url + MAGIC_HOUR_PATH, json=body, headers=BEARER) as answer:
                assert answer.status == (200 if text in accepted else 422), text


def test_an_unknown_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no list 'newest'") as raised:
        ServerConfig(store=str(tmp_path), magic_hour_extensions="newest")
    assert "sdk-page, api-reference, latest" in raised.value.hint


async def test_magic_hour_refuses_an_extension_of_another_type(post: Any) -> None:
    items = [{"type": "video", "extension": "mp4"}, {"type": "audio", "extension": "mp4"}]
    status, body = await post(MAGIC_HOUR_PATH, {"items": items}, BEARER)
    assert status == 422
    start = "'mp4' is an invalid audio extension. Possible extensions are 'mp3, "
    assert body["message"].startswith(start)
    assert body["message"].endswith("'")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[" * 100_000]
    + [{}, {"items": []}, {"items": {}}, {"items": [1]}, {"items": [{"type": "video"}]}]
    + [{"items": [{"type": "gif", "extension": "gif"}]}, {"items": [{"type": ["video"], "extension": "mp4"}]}]
    + [{"items": [{"type": "video", "extension": e}]} for e in ("", ".mp4", "MP4", "mp4\n", 4, None)],
)
async def test_magic_hour_refuses_invalid_bodies(server: LocalServer, post: Any, body: Any) -> None:
    status, answer = await post(MAGIC_HOUR_PATH, body, BEARER)
    assert status == 400
    assert answer.keys() == {"message"}
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 0


@pytest.mark.parametrize("path", [MAGIC_HOUR_PATH, LOCAL_PATH])
@pytest.mark.parametrize("header", [None, "local-token", "Bearer nope", "Bearer ", "Bearer local-token ", "Bearer é"])
async def test_the_bearer_apis_take_only_the_token(server: LocalServer, post: Any, path: Any, header: Any) -> None:
    body = {"items": [{"type": "video", "extension": "mp4"}], "files": [{"extension": "", "size": 0}]}
    status, answer = await post(path, body, {} if header is None else {"Authorization": header})
    # A trailing space is not part of a header's value (RFC 9110).
    assert status == (200 if header == "Bearer local-token " else 401)
    assert header == "Bearer local-token " or answer == {"message": "Unauthorized"}
    assert server.stats()["presign_calls"] == 1


async def test_the_local_api_takes_any_extension(server: LocalServer, http: ClientSession, post: Any) -> None:
    extensions = ["mp4", "", "TAR_gz-1", "x" * 32]
    status, body = await post(LOCAL_PATH, {"files": [{"extension": e, "size": 0} for e in extensions]}, BEARER)
    assert status == 200
    for extension, ticket in zip(extensions, body["tickets"], strict=True):
        suffix = f".{extension}" if extension else ""
        assert ticket.keys() == {"id", "url", "expires_in"}
        assert re.fullmatch(r"local/([0-9a-f]{2})/\1[0-9a-f]{30}" + re.escape(suffix), ticket["id"])
        assert ticket["url"].startswith(f"{server.url}/{ticket['id']}?")
        assert ticket["expires_in"] == 3600
        async with http.put(ticket["url"], data=b"x") as answer:
            assert answer.status == 200
        assert os.path.isfile(os.path.join(server.objects_dir, ticket["id"]))


@pytest.mark.parametrize(
    "body",
    [b"x", {}, {"files": []}, {"files": [{}]}, {"files": ["mp4"]}]
    + [{"files": [{"extension": e, "size": 1}]} for e in ("a/b", "a.b", "é", "x" * 33, "a\n", 1)]
    + [{"files": [{"extension": "mp4", "size": s}]} for s in (-1, "1", 1.5, True, None)],
)
async def test_the_local_api_refuses_invalid_bodies(post: Any, body: Any) -> None:
    status, answer = await post(LOCAL_PATH, body, BEARER)
    assert status == 400
    assert answer.keys() == {"message"}


@pytest.mark.parametrize(("path", "headers"), [(MAGIC_HOUR_PATH, BEARER), (LOCAL_PATH, BEARER), (MOVE_PATH, API_KEY)])
async def test_a_body_that_is_too_large_is_refused(post: Any, path: Any, headers: Any) -> None:
    status, answer = await post(path, {"query": "x" * (8 << 20)}, headers)
    assert status == 413
    assert "message" in (answer["errors"][0] if path == MOVE_PATH else answer)


async def test_move_creates_many_files_in_one_mutation(server: LocalServer, graphql: Any) -> None:
    fields = " ".join(f"f{n}: createFile(type: $t) {{ id type created metadata name presignedUrl }}" for n in range(50))
    status, body = await graphql(f"mutation M($t: String!) {{ {fields} }}", {"t": "mp4"})
    assert status == 200
    assert list(body) == ["data"]
    assert list(body["data"]) == [f"f{n}" for n in range(50)]
    for file in body["data"].values():
        stem = file["id"].removeprefix("file-")
        url = urlsplit(file["presignedUrl"])
        assert url.path == f"/file-production-storage/{stem}.mp4"
        assert parse_qs(url.query).keys() == {"AWSAccessKeyId", "Signature", "x-amz-security-token", "Expires"}
        assert parse_qs(url.query)["AWSAccessKeyId"][0].startswith("ASIA")
        assert parse_qs(url.query)["Expires"] == ["1700003601"]
        assert file["metadata"] == "{}"
        assert file["created"] == "2023-11-14T22:13:20.250Z"
    assert len({file["id"] for file in body["data"].values()}) == 50
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 50


async def test_move_finds_and_changes_its_files(server: LocalServer, graphql: Any) -> None:
    create = 'mutation { createFile(type: ".mov", name: "a.mov", metadata: "{\\"a\\": 1}") { id } }'
    file_id = (await graphql(create))[1]["data"]["createFile"]["id"]
    fields = "{ id type name metadata presignedUrl thumbnailUrl client { id name } }"
    found = (await graphql(f"query($id: ID!) {{ getFile(fileId: $id) {fields} }}", {"id": file_id}))[1]["data"][
        "getFile"
    ]
    assert (found["type"], found["name"], found["metadata"]) == ("mov", "a.mov", '{"a": 1}')
    assert found["thumbnailUrl"] is None
    assert found["client"]["id"]
    update = f'mutation {{ updateFile(id: "{file_id}", name: "b") {fields} }}'
    changed = (await graphql(update))[1]["data"]["updateFile"]
    assert (changed["name"], changed["metadata"]) == ("b", '{"a": 1}')
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 1


async def test_errors_of_move_have_a_type_and_a_message(graphql: Any) -> None:
    status, body = await graphql('{ getFile(fileId: "file-x") { id } }')
    assert status == 200
    assert body == {
        "data": None,
        "errors": [
            {
                "path": ["getFile"],
                "data": None,
                "errorType": "MoveNotFoundError",
                "errorInfo": None,
                "locations": [{"line": 1, "column": 3, "sourceName": None}],
                "message": "Resource not found in move-ugc-api.",
            }
        ],
    }


async def test_one_failing_alias_fails_the_whole_mutation(server: LocalServer, graphql: Any) -> None:
    status, body = await graphql('mutation { a: createFile(type: "mp4") { id } b: createFile(type: "a/b") { id } }')
    assert (status, body["data"]) == (200, None)
    assert body["errors"][0]["errorType"] == "MoveValidationError"
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 0


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("mutation { createFile { id } }", None),
        ('mutation { createFile(type: "mp4") { id secret } }', None),
        ("mutation M($t: String!) { createFile(type: $t) { id } }", {}),
        ('mutation M($m: AWSJSON) { createFile(type: "mp4", metadata: $m) { id } }', {"m": "no json"}),
        ('mutation M($m: AWSJSON) { createFile(type: "mp4", metadata: $m) { id } }', {"m": {"a": 1}}),
        ('mutation { createFile(type: "mp4", metadata: {a: 1}) { id } }', None),
    ],
)
async def test_move_validates_against_its_schema(server: LocalServer, graphql: Any, query: Any, variables: Any) -> None:
    for _ in range(2):  # the second time the document comes from the cache
        status, body = await graphql(query, variables)
        assert (status, body["data"]) == (200, None)
        assert body["errors"][0]["errorType"] == "ValidationError"
    assert server.stats()["presign_calls"] == 2
    assert server.stats()["tickets"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        {},
        {"query": 1},
        {"query": "{"},
        {"query": "{a" * 5000},
        {"query": "{a}", "variables": []},
        {"query": "{a}", "operationName": 1},
    ],
)
async def test_move_refuses_invalid_bodies(post: Any, body: Any) -> None:
    status, answer = await post(MOVE_PATH, body, API_KEY)
    assert status == 400
    assert answer["errors"][0]["errorType"] == "MalformedHttpRequestException"


@pytest.mark.parametrize("header", [None, "Bearer local-api-key-0001", "nope", ""])
async def test_move_takes_only_the_bare_key(server: LocalServer, graphql: Any, header: Any) -> None:
    headers = {} if header is None else {"Authorization": header}
    status, body = await graphql('mutation { createFile(type: "mp4") { id } }', headers=headers)
    assert status == 401
    error = {"errorType": "UnauthorizedException", "message": "You are not authorized to make this call."}
    assert body == {"errors": [error]}
    assert server.stats()["presign_calls"] == 1
    assert server.stats()["tickets"] == 0


@pytest.mark.parametrize(
    ("query", "operation", "calls"),
    [
        ("{ __schema { queryType { name } } }", None, 0),
        ('{ getFile(fileId: "createFile") { id } }', None, 0),
        ('query A { __typename } mutation B { createFile(type: "x") { id } }', "A", 0),
        ('query A { __typename } mutation B { createFile(type: "x") { id } }', "B", 1),
        ('mutation { ...F } fragment F on Mutation { createFile(type: "x") { id } }', None, 1),
        ('mutation { ... on Mutation { x: createFile(type: "x") { id } } }', None, 1),
        ("mutation { ...F } fragment F on Mutation { ...F }", None, 0),
    ],
)
async def test_only_requests_for_upload_urls_count_as_presign_calls(
    server: LocalServer, graphql: Any, query: Any, operation: Any, calls: Any
) -> None:
    await graphql(query, operation=operation)
    assert server.stats()["presign_calls"] == calls
    assert server.stats()["tickets"] == calls


async def test_move_finds_only_the_newest_files(tmp_path: Path, http: ClientSession) -> None:
    async def call(query: str) -> Any:
        async with http.post(server.url + MOVE_PATH, json={"query": query}, headers=API_KEY) as answer:
            return (await answer.json())["data"]

    async with LocalServer(ServerConfig(store=str(tmp_path)), limits=ServerLimits(max_records=1)) as server:
        ids = [(await call('mutation { createFile(type: "x") { id } }'))["createFile"]["id"] for _ in range(2)]
        answers = [await call(f'{{ getFile(fileId: "{file_id}") {{ id }} }}') for file_id in ids]
    assert answers == [None, {"getFile": {"id": ids[1]}}]


async def test_a_failing_disk_is_a_passing_error_of_move(graphql: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one of the request, which a client would not repeat."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RecordLog, "put", fail)
    status, body = await graphql('mutation { createFile(type: "mp4") { id } }')
    assert (status, body["data"], body["errors"][0]["errorType"]) == (200, None, "MoveInternalError")


async def test_move_knows_its_files_after_a_restart(tmp_path: Path, http: ClientSession) -> None:
    """With name and metadata as they were last."""

    async def call(server: LocalServer, query: str) -> Any:
        async with http.post(server.url + MOVE_PATH, json={"query": query}, headers=API_KEY) as answer:
            return (await answer.json())["data"]

    async with LocalServer(ServerConfig(store=str(tmp_path))) as server:
        created = await call(server, 'mutation { createFile(type: "mp4", name: "a") { id created } }')
        file_id = created["createFile"]["id"]
        await call(server, f'mutation {{ updateFile(id: "{file_id}", name: "b") {{ id }} }}')
    async with LocalServer(ServerConfig(store=str(tmp_path))) as server:
        found = (await call(server, f'{{ getFile(fileId: "{file_id}") {{ id name created }} }}'))["getFile"]
    assert found == {"id": file_id, "name": "b", "created": created["createFile"]["created"]}


async def test_urls_have_the_host_that_the_client_used(server: LocalServer, http: ClientSession) -> None:
    port = urlsplit(server.url).port
    body = {"files": [{"extension": "", "size": 1}]}
    async with http.post(f"http://localhost:{port}{LOCAL_PATH}", json=body, headers=BEARER) as answer:
        url = (await answer.json())["tickets"][0]["url"]
    assert url.startswith(f"http://localhost:{port}/local/")
    async with http.put(url, data=b"x") as answer:
        assert answer.status == 200
    async with http.put(url.replace("localhost", "127.0.0.1"), data=b"x") as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    ("path", "header"),
    [
        (MAGIC_HOUR_PATH, "Authorization: Bearer local-token"),
        ("/v1/local-project/files", "X-Auth-Token: local-token"),
        ("/v1/oauth2/token", "Content-Type: application/x-www-form-urlencoded"),
    ],
)
async def test_a_client_that_disconnects_causes_no_error(
    server: LocalServer, http: ClientSession, caplog: pytest.LogCaptureFixture, path: Any, header: Any
) -> None:
    parts = urlsplit(server.url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{header}\r\nContent-Length: 99\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    for _ in range(3):
        async with http.get(f"{server.url}/-/stats") as answer:
            assert answer.status == 200
    assert caplog.text == ""


async def test_changed_credentials_refuse_calls_but_not_uploads(
    server: LocalServer, http: ClientSession, post: Any, graphql: Any
) -> None:
    body = {"files": [{"extension": "", "size": 1}]}
    url = (await post(LOCAL_PATH, body, BEARER))[1]["tickets"][0]["url"]
    server.set_credentials(token="another-token", api_key="another-api-key")
    assert (await post(LOCAL_PATH, body, BEARER))[0] == 401
    assert (await graphql("{ __typename }"))[0] == 401
    assert (await post(LOCAL_PATH, body, {"Authorization": "Bearer another-token"}))[0] == 200
    async with http.put(url, data=b"x") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["/v1/files", "/v1/p/files/x/y", "/v3/auth", "/ugc/x", "/local/v1/x", "/-/x"])
async def test_other_paths_of_apis_are_not_found(post: Any, path: Any) -> None:
    assert await post(path, {}, BEARER) == (404, {"message": "Not Found"})


async def test_statistics_need_no_credentials(server: LocalServer, http: ClientSession) -> None:
    async with http.get(f"{server.url}/-/stats") as answer:
        assert await answer.json() == {
            "presign_calls": 0,
            "tickets": 0,
            "puts_completed": 0,
            "puts_failed": 0,
            "bytes": 0,
        }


async def test_the_lifetime_of_urls_can_be_set(tmp_path: Path, http: ClientSession) -> None:
    async with LocalServer(ServerConfig(store=str(tmp_path), url_ttl=0.2), FakeClock(NOW + 0.25)) as server:
        body = {"files": [{"extension": "", "size": 1}], "items": [{"type": "video", "extension": "mp4"}]}
        async with http.post(server.url + LOCAL_PATH, json=body, headers=BEARER) as answer:
            assert (await answer.json())["tickets"][0]["expires_in"] == 1
        async with http.post(server.url + MAGIC_HOUR_PATH, json=body, headers=BEARER) as answer:
            expires = (await answer.json())["items"][0]["expires_at"]
        assert dt.datetime.fromisoformat(expires).timestamp() == 1_700_000_002


async def test_a_store_holds_objects_and_nothing_else_and_secrets_are_private(
    server: LocalServer, tmp_path: Path
) -> None:
    assert sorted(os.listdir(tmp_path)) == ["objects", "state"]
    assert os.listdir(server.objects_dir) == []
    state = tmp_path / "state"
    assert state.stat().st_mode & 0o077 == 0
    assert (state / "keys.json").stat().st_mode & 0o777 == 0o600


async def test_unfinished_objects_are_deleted_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "state" / "incoming").mkdir(parents=True)
    (tmp_path / "state" / "incoming" / "0").write_text("half")
    async with LocalServer(ServerConfig(store=str(tmp_path))):
        assert list((tmp_path / "state" / "incoming").iterdir()) == []


async def test_urls_and_counters_survive_a_restart(tmp_path: Path, http: ClientSession) -> None:
    config = ServerConfig(store=str(tmp_path), prefer_last_port=True)
    body = {"files": [{"extension": "", "size": 1}]}
    async with LocalServer(config) as first, http.post(first.url + LOCAL_PATH, json=body, headers=BEARER) as answer:
        url = (await answer.json())["tickets"][0]["url"]
    async with LocalServer(config) as second:
        assert second.url == first.url
        async with http.put(url, data=b"later") as answer:
            assert answer.status == 200
        assert second.stats() == {
            "presign_calls": 1,
            "tickets": 1,
            "puts_completed": 1,
            "puts_failed": 0,
            "bytes": 5,
        }


async def test_another_port_is_used_if_the_last_one_is_taken(tmp_path: Path) -> None:
    config = ServerConfig(store=str(tmp_path / "a"), prefer_last_port=True)
    async with LocalServer(config) as server:
        port = int(server.url.rpartition(":")[2])
    async with LocalServer(ServerConfig(store=str(tmp_path / "b"), port=port)), LocalServer(config) as moved:
        assert urlsplit(moved.url).port != port


async def test_a_taken_port_is_a_clear_error(tmp_path: Path, server: LocalServer) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(MachineError, match=f"port {port}: another program uses it"):
        async with LocalServer(ServerConfig(store=str(tmp_path / "b"), port=port)):
            pass


async def test_two_servers_cannot_share_a_store(tmp_path: Path, server: LocalServer) -> None:
    with pytest.raises(MachineError, match="another server uses"):
        async with LocalServer(ServerConfig(store=str(tmp_path)), limits=ServerLimits(lock_timeout=0.1)):
            pass


async def test_a_store_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be used"):
        async with LocalServer(ServerConfig(store=str(tmp_path / "file" / "store"))):
            pass


async def test_damaged_keys_are_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "keys.json").write_text("{")
    with pytest.raises(MachineError, match="damaged"):
        async with LocalServer(ServerConfig(store=str(tmp_path))):
            pass


async def test_a_bad_certificate_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    tls = (str(tmp_path / "bad.pem"), str(tmp_path / "none.pem"))
    with pytest.raises(UsageError, match=r"bad\.pem"):
        async with LocalServer(ServerConfig(store=str(tmp_path / "s"), tls=tls)):
            pass


@pytest.mark.parametrize(
    "wrong", [{"port": 70000}, {"url_ttl": 0}, {"url_ttl": 604801}, {"token": ""}, {"api_key": "short"}]
)
def test_invalid_settings_are_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(UsageError):
        ServerConfig(store=str(tmp_path), **wrong)


def test_settings_do_not_print_credentials(tmp_path: Path) -> None:
    config = ServerConfig(store=str(tmp_path), token="t0ken", api_key="k" * 12, secret_key="s3cret")
    assert not re.search("t0ken|kkkk|s3cret", repr(config))


def test_faults_are_settings_too(tmp_path: Path) -> None:
    assert ServerConfig(store="", faults=(FaultSpec.parse("cut-body"),)).faults[0].share == 1.0


@pytest.mark.parametrize(("size", "status"), [(2**63 - 1, 200), (2**63, 422), (1e300, 422), (-1, 422), (True, 422)])
async def test_git_lfs_takes_sizes_of_63_bits(server: LocalServer, http: ClientSession, size: Any, status: int) -> None:
    """The answer repeats them."""
    body = json.dumps({"operation": "upload", "objects": [{"oid": "a" * 64, "size": size}]})
    headers = {**BEARER, "Content-Type": "application/vnd.git-lfs+json"}
    async with http.post(f"{server.url}/objects/batch", data=body, headers=headers) as answer:
        assert answer.status == status
        found = await answer.json(content_type=None)
    if status == 200:
        assert found["objects"][0]["size"] == size
    else:
        assert "at most" in found["message"]
