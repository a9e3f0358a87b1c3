"""The server of the dashboard over real journals."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from dashboard_world import QUICK, ROOT, AFile, Page, add_run, make_journal, no_retry, opened

from bulkup.api.control.control_messages import Request
from bulkup.api.control.control_server import serving
from bulkup.dashboard.dashboard_server import DashboardConfig, DashboardServer
from bulkup.dashboard.journal_list import journal_id
from bulkup.errors import MachineError
from bulkup.journal import Lock
from bulkup.journal.database import migrations, open_for_writing

MARKUP = b'<img src=x onerror="alert(1)">/\xff\n.jpg'
FILES = [
    AFile(b"a/1.jpg"),
    AFile(b"a/2.jpg", "storage answered 403: AccessDenied (request id '1f')", size=5),
    AFile(b"a/3.jpg", "storage answered 403: AccessDenied (request id '2e')", size=7, run=2),
    AFile(b"b/4.tiff", "does not accept the extension .tiff", state="rejected"),
    AFile(MARKUP, "<script>alert(2)</script>"),
]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return make_journal(tmp_path / "nightly.sqlite3", FILES, runs=(0, 1))


@pytest.fixture
async def page(journal: Path) -> AsyncIterator[Page]:
    """The page of a server. A fixture begins and ends in tasks of its own, so the server has one for both."""
    found, over = list[Page](), anyio.Event()
    begun = anyio.Event()

    async def serve() -> None:
        async with opened(journal.parent) as one:
            found.append(one)
            begun.set()
            await over.wait()

    task = asyncio.create_task(serve())
    await begun.wait()
    yield found[0]
    over.set()
    await task


async def test_all_journals_of_the_folder_are_listed(page: Page, journal: Path, tmp_path: Path) -> None:
    make_journal(tmp_path / "other.sqlite3", runs=(None,))
    (tmp_path / "notes.txt").write_text("no journal")
    os.symlink(journal, tmp_path / "link.sqlite3")
    found = await page.get("overview")
    assert [one["path"] for one in found["journals"]] == [str(journal), str(tmp_path / "other.sqlite3")]
    nightly, other = found["journals"]
    assert (nightly["state"], nightly["name"], nightly["sources"]) == ("ready", "media → magic-hour", ["/data/media"])
    last = nightly["last_run"]
    assert (last["exit_code"], last["ended"], last["word"], last["missed"]) == (
        1,
        "some files failed",
        "Some failed",
        1,
    )
    assert (other["last_run"]["word"], other["last_run"]["seconds"]) == ("Cut off", None)
    assert [run["exit_code"] for run in found["runs"]] == [1, 0, None]


async def test_one_run_has_its_summary(page: Page, journal: Path) -> None:
    run = await page.get(f"journals/{journal_id(str(journal))}/runs/{2:032x}")
    assert run["summary"]["files"]["uploaded"] == 9
    assert run["newest"]
    gone = await page.get(f"journals/{journal_id(str(journal))}/runs/nothing", 410)
    assert gone["error"]["kind"] == "run"


async def test_a_journal_has_the_number_of_files_in_each_state(page: Page, journal: Path) -> None:
    found = await page.ready(f"journals/{journal_id(str(journal))}")
    assert found["counts"] == {"uploaded": 1, "failed": 3, "rejected": 1}
    assert (len(found["runs"]), found["retries"], found["known"]) == (2, [], 5)


async def test_a_run_that_does_not_answer_says_so(page: Page, journal: Path) -> None:
    """It is of a version without a control socket, or its file system has none."""
    lock = Lock(str(journal))
    await lock.acquire(wait=False, sleep=anyio.sleep)
    connection = open_for_writing(str(journal))
    add_run(connection, 3, None)
    connection.close()
    async with page.events() as events:
        with anyio.fail_after(30):
            while (event := await anext(events))[0] != "progress":
                pass
    assert event[1]["unavailable"]
    error = await page.post(f"journals/{journal_id(str(journal))}/control", {"do": "pause"}, 409)
    assert error["error"]["message"]
    lock.release()


async def test_failures_are_grouped_with_advice(page: Page, journal: Path) -> None:
    found = await page.ready(f"journals/{journal_id(str(journal))}/groups")
    denied = found["groups"][0]
    assert (denied["state"], denied["files"], denied["bytes"]) == ("failed", 2, 12)
    assert denied["hint"].startswith("the service's key may not write")
    assert denied["path"] == "/data/media/a/2.jpg"
    newest = await page.ready(f"journals/{journal_id(str(journal))}/groups", run=f"{2:032x}")
    assert [one["files"] for one in newest["groups"]] == [1]
    assert (await page.ready(f"journals/{journal_id(str(journal))}/groups", run="nothing"))["groups"] == []


async def test_files_are_searched_sorted_and_paged(page: Page, journal: Path) -> None:
    address = f"journals/{journal_id(str(journal))}/files"
    found = await page.ready(address, q="JPG", sort="size", order="down", limit="2")
    assert [one["size"] for one in found["files"]] == [1000, 1000]
    assert (found["count"], found["more"]) == (4, False)
    rest = await page.get(address, q="JPG", sort="size", order="down", limit="2", after=found["after"])
    assert [one["size"] for one in rest["files"]] == [7, 5]
    assert (rest["after"], rest["count"]) == (None, None)
    group = (await page.ready(f"journals/{journal_id(str(journal))}/groups"))["groups"][0]
    of_group = await page.ready(address, state="missed", reason=group["name"], reason_state="failed")
    assert [one["path"] for one in of_group["files"]] == ["a/2.jpg", "a/3.jpg"]
    assert (await page.ready(address, reason="never", reason_state="failed"))["files"] == []


async def test_names_and_reasons_are_text_that_a_page_can_show(page: Page, journal: Path) -> None:
    found = await page.ready(f"journals/{journal_id(str(journal))}/files", q="onerror")
    (file,) = found["files"]
    assert file["path"] == '<img src=x onerror="alert(1)">/\\xff\\n.jpg'
    value = await page.get(f"journals/{journal_id(str(journal))}/files/" + "/".join(map(str, file["key"])))
    assert (value["status"], value["reason"]) == ("failed", "<script>alert(2)</script>")


async def test_a_file_has_its_history_without_secrets(page: Page, journal: Path) -> None:
    connection = sqlite3.connect(journal)
    values = (b"a/2.jpg", "the id", 2e9, "1 0 " + '{"url": "https://store.example/x?Signature=SECRET"}')
    connection.execute("INSERT INTO tickets VALUES (1, 1, ?, ?, ?, ?)", values)
    orphan = (b"a/2.jpg", "an old id", "it was not used", 1.0)
    connection.execute(
        "INSERT INTO orphans (destination_id, source_id, path, remote_id, count, reason, created_at, run_id) "
        "VALUES (1, 1, ?, ?, 1, ?, ?, 1)",
        orphan,
    )
    connection.commit()
    connection.close()
    value = await page.get(f"journals/{journal_id(str(journal))}/files/1/1/YS8yLmpwZw")
    assert value["steps"] == {"ticket": {"remote_id": "the id", "expires_at": 2e9}, "parts": 0, "removed": False}
    assert [(one["remote_id"], one["kind"]) for one in value["other_ids"]] == [("an old id", "unused")]
    assert "SECRET" not in str(value)
    assert (await page.get(f"journals/{journal_id(str(journal))}/files/1/1/YS9ub25l", 410))["error"]["kind"] == "file"
    assert (await page.get(f"journals/{journal_id(str(journal))}/files/1/1/!", 404))["error"]["kind"] == "file"


@pytest.mark.parametrize("path", ["session", "overview", "events", "journals/1", "nothing"])
async def test_nothing_is_told_without_the_token(page: Page, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": "Bearer guessed"}):
            async with session.get(f"{page.url}api/{path}", headers=headers) as answer:
                assert answer.status == 401
                assert (await answer.json())["error"]["kind"] == "token"


async def test_every_answer_has_the_headers_of_security(page: Page) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("", "js/main.js", "nothing", "api/session", "api/events", "api/nothing"):
            headers = page.headers if path == "api/events" else {}
            async with session.get(page.url + path, headers=headers) as answer:
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert "Access-Control-Allow-Origin" not in answer.headers


async def test_another_host_and_another_origin_are_refused(page: Page) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(page.url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        headers = {**page.headers, "Origin": "http://evil.example"}
        async with session.post(page.url + "api/journals/1/retry", headers=headers, json={}) as answer:
            assert answer.status == 403


async def test_a_page_of_another_port_of_this_machine_cannot_start_an_action(page: Page, journal: Path) -> None:
    """It is of the same site, so a browser would give it cookies. Not even with the token may it act."""
    address, kind = f"{page.url}api/journals/{journal_id(str(journal))}/retry", {"Content-Type": "text/plain"}
    port = int(page.url.rstrip("/").rpartition(":")[2])
    own = {**page.headers, "Origin": page.url.rstrip("/")}
    async with aiohttp.ClientSession() as session:
        for headers, status in (
            ({**page.headers, "Origin": f"http://127.0.0.1:{port - 1}"}, 403),
            ({**own, "Sec-Fetch-Site": "same-site"}, 403),
            ({**own, "Host": f"localhost:{port}"}, 403),
            ({**own, **kind}, 415),
        ):
            async with session.post(address, headers=headers, data='{"all": true}') as answer:
                assert answer.status == status
    assert (await page.get("overview"))["retries"] == []


async def test_the_token_is_in_no_log_and_no_answer_and_no_cache_keeps_data(
    page: Page, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    name = journal_id(str(journal))
    async with aiohttp.ClientSession() as session:
        for path in ("", "js/api.js", "api/session", "api/overview", f"api/journals/{name}", "api/nothing"):
            async with session.get(page.url + path, headers=page.headers) as answer:
                assert page.token not in await answer.text() + str(answer.headers)
                assert answer.headers["Cache-Control"] == ("no-store" if path.startswith("api") else "no-cache")
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert "Set-Cookie" not in answer.headers
    assert page.token not in caplog.text


@pytest.mark.parametrize("name", ["%2Fetc%2Fpasswd", "..%2fother.sqlite3", "nightly.sqlite3", "%00"])
async def test_a_journal_is_named_by_its_id_alone(page: Page, name: str) -> None:
    address = f"{page.url}api/journals/{name}"
    async with aiohttp.ClientSession() as session, session.get(address, headers=page.headers) as answer:
        assert answer.status == 404


async def test_files_of_the_page_are_cached_by_their_content(page: Page) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(page.url) as answer:
            etag = answer.headers["ETag"]
        async with session.get(page.url, headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304
        async with session.get(page.url + "..%2fdashboard_server.py") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("damage", "state"),
    [
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"x" * 5000), "damaged"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: sqlite3.connect(path).execute(f"PRAGMA user_version = {len(migrations()) + 1}"), "newer"),
        (lambda path: os.link(path, f"{path}.second"), "unusable"),
    ],
)
async def test_a_journal_that_cannot_be_read_says_why(tmp_path: Path, damage: Any, state: str) -> None:
    path = make_journal(tmp_path / "nightly.sqlite3")
    damage(path)
    async with opened(tmp_path) as page:
        for _ in range(3):  # further looks make no further copies of a damaged file
            (one,) = (await page.get("overview"))["journals"]
        assert (one["state"], bool(one["message"]), one["runs"]) == (state, True, [])
        error = (await page.get(f"journals/{one['id']}", 410))["error"]
        assert error["kind"] == state
        assert error["hint"] or state == "empty"
    assert len(list(tmp_path.glob("*.damaged-*"))) <= 1


async def test_a_journal_of_another_user_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_journal(tmp_path / "nightly.sqlite3")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(path).st_uid + 1)
    before = sorted(tmp_path.iterdir())
    async with opened(tmp_path) as page:
        (one,) = (await page.get("overview"))["journals"]
    assert (one["state"], one["hint"]) == ("foreign", "start the dashboard as that user")
    assert sorted(tmp_path.iterdir()) == before


async def test_a_journal_that_is_deleted_meanwhile_says_so(page: Page, journal: Path) -> None:
    async with page.events() as events:
        assert (await anext(events))[0] == "hello"
        assert await _journal_event(events, "ready")
        journal.unlink()
        assert await _journal_event(events, "gone")
    assert (await page.get(f"journals/{journal_id(str(journal))}", 410))["error"]["kind"] == "gone"


async def test_a_run_that_begins_and_ends_is_noticed(page: Page, journal: Path) -> None:
    async with page.events() as events:
        assert await _journal_event(events, "ready")
        lock = Lock(str(journal))
        await lock.acquire(wait=False, sleep=anyio.sleep)
        connection = open_for_writing(str(journal))
        add_run(connection, 3, None)
        started = await _journal_event(events, "running")
        assert started["last_run"]["running"]
        error = await page.post(f"journals/{started['id']}/retry", {"files": [[1, 1, "YS8yLmpwZw"]]}, 409)
        assert error["error"]["kind"] == "running"
        connection.execute("UPDATE runs SET ended_at = started_at + 5, exit_code = 0 WHERE id = 3")
        connection.close()
        lock.release()
        assert (await _journal_event(events, "ready"))["last_run"]["word"] == "Complete"


async def test_a_journal_that_changed_is_read_again(page: Page, journal: Path) -> None:
    address = f"journals/{journal_id(str(journal))}/files"
    assert (await page.ready(address, state="missed"))["count"] == 4
    connection = sqlite3.connect(journal)
    connection.execute("UPDATE files SET state = 'uploaded', error = NULL WHERE path = ?", (b"a/2.jpg",))
    connection.commit()
    connection.close()
    with anyio.fail_after(20):
        while (await page.ready(address, state="missed"))["count"] != 3:
            await anyio.sleep(0.02)
    stale = await page.get(address, 410, state="missed", after="999.0.0")
    assert stale["error"]["kind"] == "list"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("retry", {"list": [1]}),
        ("retry", {"list": "missed"}),
        ("retry", {"list": {"state": 5}}),
        ("retry", {"list": {"run": {"a": 1}}}),
        ("retry", {"list": {"reason": ["x"], "reason_state": "failed"}}),
        ("retry", {"files": [["9" * 40, 1, "YQ"]]}),
        ("retry", {"files": {"0": [1, 1, "YQ"]}}),
        ("retry", {"all": "yes"}),
        ("control", {"do": ["pause"]}),
        ("control", {"do": {}}),
        ("control", {"do": "settings"}),
        ("control", {"do": "watch"}),
    ],
)
async def test_an_action_of_any_shape_gets_a_clear_refusal(
    page: Page, journal: Path, action: str, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    address = f"{page.url}api/journals/{journal_id(str(journal))}/{action}"
    headers = {**page.headers, "Origin": page.url.rstrip("/")}
    async with aiohttp.ClientSession() as session, session.post(address, headers=headers, json=body) as answer:
        assert answer.status in (400, 409)
        assert (await answer.json())["error"]["message"]
    assert "failed" not in caplog.text


async def test_a_number_that_no_journal_has_is_no_file(page: Page, journal: Path) -> None:
    address = f"journals/{journal_id(str(journal))}/files/{'9' * 40}/1/YQ"
    assert (await page.get(address, 404))["error"]["kind"] == "file"


@pytest.mark.parametrize(
    "path",
    [b"../../etc/passwd", b"/etc/passwd", b"-rf", b"a/2.jpg\0secret", b"a/2.jpg\nsecret", b"new.jpg", b"", b"a/1.jpg"],
)
async def test_only_files_that_the_journal_has_left_can_be_retried(page: Page, journal: Path, path: bytes) -> None:
    """Any other path would be a new upload, also of a file that the user excluded. a/1.jpg is uploaded."""
    name = base64.urlsafe_b64encode(path).decode().rstrip("=")
    refused = await page.post(f"journals/{journal_id(str(journal))}/retry", {"files": [[1, 1, name]]}, 409)
    assert refused["error"]["kind"] == "files"
    assert (await page.get("overview"))["retries"] == []


async def test_names_that_look_like_options_or_lines_are_retried_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [b"--delete-after-upload", b"-rf", b"a\nb", b"\xff\xfe", b" ", b"#x", b"<script>"]
    journal = make_journal(tmp_path / "state" / "nightly.sqlite3", [AFile(name, "failed") for name in names], runs=(1,))
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nprintf '%s ' \"$@\" > {tmp_path}/arguments\ncat > {tmp_path}/list\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    async with opened(journal.parent, retry=lambda *_: []) as page:
        name = journal_id(str(journal))
        files = (await page.ready(f"journals/{name}/files"))["files"]
        await page.post(f"journals/{name}/retry", {"files": [one["key"] for one in files]}, 202)
        with anyio.fail_after(60):
            while (await page.get("overview"))["retries"][0]["state"] == "running":
                await anyio.sleep(0.05)
    assert sorted((tmp_path / "list").read_bytes().split(b"\0")) == sorted([*names, b""])
    assert "-rf" not in (tmp_path / "arguments").read_text().replace("--files-from", "")


class OtherVersion:
    """The controls of a run whose answers have another shape."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress

    def stop(self, at_once: bool) -> None:
        raise AssertionError(at_once)

    def progress(self) -> Any:
        return self._progress

    def carry_out(self, request: Request) -> dict[str, Any]:
        assert request.do == "pause"
        return {"ok": True, "progress": self._progress}


@pytest.mark.parametrize("progress", [None, [], "running", {"sending": None}, {"sending": {"path": 1}}])
async def test_a_run_whose_answer_has_another_shape_ends_nothing(page: Page, journal: Path, progress: Any) -> None:
    lock = Lock(str(journal))
    await lock.acquire(wait=False, sleep=anyio.sleep)
    connection = open_for_writing(str(journal))
    add_run(connection, 3, None)
    connection.close()
    async with serving(str(journal), OtherVersion(progress)), page.events() as events:
        with anyio.fail_after(30):
            while (event := await anext(events))[0] != "progress":
                pass
        assert event[1]["unavailable"]
        error = await page.post(f"journals/{journal_id(str(journal))}/control", {"do": "pause"}, 409)
        assert "another version" in error["error"]["message"]
        await page.get("overview")
    lock.release()


async def test_a_parameter_that_no_page_sends_is_refused(page: Page, journal: Path) -> None:
    error = await page.get(f"journals/{journal_id(str(journal))}/files", 400, sort="colour")
    assert error["error"]["kind"] == "parameter"
    address = f"journals/{journal_id(str(journal))}/retry"
    assert (await page.post(address, [], 400))["error"]["kind"] == "parameter"
    assert (await page.post(address, {"files": []}, 400))["error"]["kind"] == "parameter"
    assert (await page.post(address, {"files": [[1, 9, "YQ"]]}, 409))["error"]["kind"] == "files"
    assert (await page.get("journals/unknown", 404))["error"]["kind"] == "unknown"


async def test_the_server_ends_while_pages_are_open(journal: Path) -> None:
    async with aiohttp.ClientSession() as session:
        async with opened(journal.parent) as page:
            answer = await session.get(f"{page.url}api/events", headers=page.headers)
            assert await answer.content.readline() == b"event: hello\n"
        with anyio.fail_after(20):
            assert (await answer.content.read()).startswith(b"data: ")


async def test_more_pages_than_allowed_are_refused(journal: Path) -> None:
    import dataclasses

    options = dataclasses.replace(QUICK, most_streams=1)
    async with opened(journal.parent, options=options) as page, page.events() as events:
        assert (await anext(events))[0] == "hello"
        assert (await page.get("events", 429))["error"]["kind"] == "streams"


async def test_a_port_in_use_is_explained(journal: Path) -> None:
    async with opened(None) as page:
        port = int(page.url.rstrip("/").rpartition(":")[2])
        config = DashboardConfig(None, (), str, no_retry, port=port)
        with pytest.raises(MachineError, match="in use by another program") as raised:
            async with DashboardServer(config):
                pass
    assert "--port 0" in raised.value.hint


@pytest.mark.parametrize(("code", "state"), [(0, "ended"), (1, "ended")])
async def test_a_retry_runs_by_itself_and_its_outcome_is_shown(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, state: str
) -> None:
    """The command is a stand-in that writes down its arguments and its list."""
    program = tmp_path / "program"
    script = (
        f"#!/bin/sh\nprintf '%s ' \"$@\" > {tmp_path}/arguments\ncat > {tmp_path}/list\n"
        f"ps -o sid= -p $$ > {tmp_path}/session\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.05; done\n"
        f"echo 'it says why' >&2\nexit {code}\n"
    )
    program.write_text(script)
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))

    def retry(of: str, source: bytes) -> list[str]:
        assert (of, source) == (str(journal), ROOT)
        return ["--profile", "nightly", "/data/media"]

    async with opened(journal.parent, retry=retry) as page:
        name = journal_id(str(journal))
        files = (await page.ready(f"journals/{name}/files", state="missed"))["files"]
        begun = await page.post(f"journals/{name}/retry", {"files": [one["key"] for one in files[:2]]}, 202)
        assert (begun["files"], begun["state"]) == (2, "running")
        assert (await page.post(f"journals/{name}/retry", {"list": {"state": "missed"}}, 409))["error"][
            "kind"
        ] == "running"
        (tmp_path / "go").touch()
        with anyio.fail_after(60):
            while (job := (await page.get("overview"))["retries"][0])["state"] == "running":
                await anyio.sleep(0.05)
    assert (job["state"], job["exit_code"], job["message"]) == (state, code, "it says why")
    arguments = (tmp_path / "arguments").read_text()
    assert "upload --profile nightly /data/media --files-from - --null --retry-rejected" in arguments
    assert (tmp_path / "list").read_bytes() == MARKUP + b"\0a/2.jpg\0"
    assert int((tmp_path / "session").read_text()) != os.getsid(0)


async def test_all_files_that_are_not_uploaded_can_be_retried(
    journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their number has no limit, so there is no list: `bulkup retry` takes them from the journal."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nprintf '%s ' \"$@\" > {tmp_path}/arguments\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    async with opened(journal.parent, retry=lambda *_: ["--profile", "nightly"]) as page:
        name = journal_id(str(journal))
        await page.ready(f"journals/{name}/files")
        assert (await page.post(f"journals/{name}/retry", {"all": True}, 202))["files"] == 4
        with anyio.fail_after(60):
            while (await page.get("overview"))["retries"][0]["state"] == "running":
                await anyio.sleep(0.05)
    assert "-m bulkup retry --profile nightly --retry-rejected" in (tmp_path / "arguments").read_text()


async def test_all_files_of_a_list_can_be_retried(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    async with opened(journal.parent, retry=lambda *_: []) as page:
        name = journal_id(str(journal))
        await page.ready(f"journals/{name}/files")
        begun = await page.post(f"journals/{name}/retry", {"list": {"state": "missed", "q": "a/"}}, 202)
        assert begun["files"] == 2
        with anyio.fail_after(60):
            while (job := (await page.get("overview"))["retries"][0])["state"] == "running":
                await anyio.sleep(0.05)
    assert job["state"] == "refused"
    assert "/nonexistent" in job["message"]


async def _journal_event(events: Any, state: str) -> Any:
    """Return the next event about a journal in this state."""
    with anyio.fail_after(30):
        while True:
            kind, value = await anext(events)
            if kind == "journal" and value["state"] == state:
                return value
