"""Git LFS: objects that the server has already, actions and their ends, errors of objects, verify calls, logins."""

from __future__ import annotations

import base64
import json
import os
import stat
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from provider_cases import BASE_URL, DATE, NOW, FakeCall, answer_of, rfc3339

from bulkup.helpers.clock import SystemClock
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.model.files import Digest, Identity
from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import AlreadyThere, ChecksumHeader, ClosingAction, Receipt, Rejection, Ticket
from bulkup.providers import FileSpec, ProviderConfig, TicketAnswer
from bulkup.providers.git_lfs.adapter import GitLfs
from bulkup.providers.git_lfs.credentials import GitOptions, LoginSource

SIZE = 7


class FixedClock(SystemClock):
    def now(self) -> float:
        return NOW


def digest(number: int) -> Digest:
    return Digest(bytes([number]) * 32, "sha256")


def spec(number: int) -> FileSpec:
    return FileSpec(f"{number}.bin", f"{number}.bin", "bin", SIZE, digest(number))


def provider(*, base_url: str = BASE_URL, credentials: dict[str, Secret] | None = None, **settings: Any) -> GitLfs:
    given = {"token": Secret("t0ken-0001")} if credentials is None else credentials
    return GitLfs(ProviderConfig(base_url, given, {"confirm": True, "allowed_hosts": (), **settings}, FixedClock()))


def upload_of(number: int, **action: Any) -> dict[str, Any]:
    return {"href": f"https://store.example/{number}", **action}


def offered(number: int, *, upload: Any = None, **rest: Any) -> dict[str, Any]:
    """Return an object that the server asks for."""
    actions = {"upload": upload or upload_of(number), **rest.pop("actions", {})}
    return {"oid": digest(number).hex, "size": SIZE, "actions": actions, **rest}


def batch(*objects: Any, **rest: Any) -> ApiAnswer:
    return answer_of({"transfer": "basic", "objects": list(objects), **rest}, date=DATE)


async def asked(*answers: ApiAnswer, specs: Sequence[FileSpec] = (), lfs: GitLfs | None = None) -> list[TicketAnswer]:
    return list(await (lfs or provider()).presign(specs or [spec(1)], FakeCall(*answers)))


async def ticket_of(*objects: Any, lfs: GitLfs | None = None) -> Ticket:
    (answer,) = await asked(batch(*objects), lfs=lfs)
    assert isinstance(answer, Ticket)
    return answer


async def problem_of(*answers: ApiAnswer, specs: Sequence[FileSpec] = ()) -> Problem:
    with pytest.raises(ProblemError) as raised:
        await asked(*answers, specs=specs)
    return raised.value.problem


def revealed(headers: Any) -> dict[str, str]:
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}


async def test_the_request_is_that_of_the_batch_api() -> None:
    call = FakeCall(batch(offered(1)))
    await provider().presign([spec(1)], call)
    (request,) = call.requests
    assert (request.method, request.path) == ("POST", "/objects/batch")
    media_type = "application/vnd.git-lfs+json"
    sent = revealed(request.headers)
    assert sent == {"Accept": media_type, "Content-Type": media_type, "Authorization": "Bearer t0ken-0001"}
    assert json.loads(request.body or b"") == {
        "operation": "upload",
        "transfers": ["basic"],
        "objects": [{"oid": digest(1).hex, "size": SIZE}],
        "hash_algo": "sha256",
    }


@pytest.mark.parametrize("actions", [..., None, {}])
async def test_an_object_without_actions_is_already_there(actions: Any) -> None:
    """In any order beside others, and in upper case."""
    there = {"oid": digest(2).hex.upper(), "size": SIZE} | ({} if actions is ... else {"actions": actions})
    answers = await asked(batch(there, offered(1)), specs=[spec(1), spec(2)])
    assert isinstance(answers[0], Ticket)
    assert answers[1] == AlreadyThere(digest(2).hex, {"oid": digest(2).hex, "size": SIZE})


async def test_files_with_equal_bytes_are_asked_for_once() -> None:
    call = FakeCall(batch(offered(1), offered(2)))
    answers = await provider().presign([spec(1), spec(2), spec(1)], call)
    assert len(json.loads(call.requests[0].body or b"")["objects"]) == 2
    assert answers[0] is answers[2]


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [offered(2)],
        [offered(1), offered(2)],
        [offered(1), offered(1)],
        [offered(1) | {"oid": "0" * 64}],
        [offered(1) | {"size": SIZE + 1}],
        [offered(1) | {"actions": {"download": upload_of(1)}}],
        [offered(1) | {"actions": ["upload"]}],
        [offered(1, upload={"href": "https://store.example/1", "header": ["a"]})],
        [offered(1, upload=upload_of(1, header={"X-A": 1}))],
        [offered(1, upload=upload_of(1, header={"X A": "1"}))],
        [offered(1, upload=upload_of(1, header={"X-A": "1\r\nX-B: 2"}))],
        [offered(1, upload=upload_of(1, header={"X-A": "1", "x-a": "2"}))],
        [offered(1, upload=upload_of(1, header={f"X-{number}": "1" for number in range(65)}))],
        [offered(1, upload=upload_of(1, expires_in="900"))],
        [offered(1, upload=upload_of(1, expires_at="tomorrow"))],
        [offered(1, upload=upload_of(1, expires_at=17))],
    ],
)
async def test_an_answer_about_other_objects_or_with_bad_actions_is_refused(objects: list[Any]) -> None:
    assert (await problem_of(batch(*objects))).kind is ProblemKind.TRANSIENT


async def test_two_objects_never_share_a_url() -> None:
    """One would overwrite the other."""
    same = [offered(1, upload=upload_of(1)), offered(2, upload=upload_of(1))]
    assert (await problem_of(batch(*same), specs=[spec(1), spec(2)])).kind is ProblemKind.TRANSIENT


@pytest.mark.parametrize(("key", "value"), [("transfer", "multipart"), ("transfer", "ssh"), ("hash_algo", "sha512")])
async def test_other_transfers_and_hashes_end_the_run(key: str, value: str) -> None:
    problem = await problem_of(batch(offered(1), **{key: value}))
    assert problem.kind is ProblemKind.UNUSABLE
    assert value in problem.message
    assert "is supported" in problem.message


@pytest.mark.parametrize(
    ("action", "expires_at"),
    [
        ({}, None),
        ({"expires_in": 900}, NOW + 900),
        ({"expires_in": 900, "expires_at": rfc3339(NOW + 60)}, NOW + 900),
        ({"expires_in": 0, "expires_at": rfc3339(NOW + 60)}, NOW + 60),
        ({"expires_in": -5}, NOW - 5),
        ({"expires_in": 10**12}, NOW + 2_147_483_647),
        ({"expires_at": "0001-01-01T00:00:00Z"}, None),
        ({"expires_at": ""}, None),
        ({"href": "https://store.example/1?Expires=1700000060", "expires_in": 900}, NOW + 60),
    ],
)
async def test_the_end_of_an_action(action: dict[str, Any], expires_at: float | None) -> None:
    """`expires_in` comes first, 0 and the year 1 stand for none, and a URL that ends earlier ends earlier."""
    assert (await ticket_of(offered(1, upload=upload_of(1, **action)))).expires_at == expires_at


async def test_the_headers_of_the_action_are_sent_and_never_printed() -> None:
    """Without those of the connection, and with a Content-Type if there is none."""
    header = {"Authorization": "Basic c2VjcmV0", "X-Amz-Content-Sha256": "0" * 64, "Transfer-Encoding": "chunked"}
    ticket = await ticket_of(offered(1, upload=upload_of(1, header={**header, "Content-Length": "7"})))
    assert revealed(ticket.headers) == {
        "Authorization": "Basic c2VjcmV0",
        "X-Amz-Content-Sha256": "0" * 64,
        "Content-Type": "application/octet-stream",
    }
    assert "c2VjcmV0" not in repr(ticket)
    typed = await ticket_of(offered(1, upload=upload_of(1, header={"content-type": "image/png"})))
    assert revealed(typed.headers) == {"content-type": "image/png"}


@pytest.mark.parametrize(
    ("url", "authenticated", "header", "sent"),
    [
        (f"{BASE_URL}/objects/1", None, {}, "Bearer t0ken-0001"),
        (f"{BASE_URL}/objects/1", False, {}, "Bearer t0ken-0001"),
        (f"{BASE_URL}/objects/1", True, {}, None),
        (f"{BASE_URL}/objects/1", None, {"authorization": "RemoteAuth x"}, "RemoteAuth x"),
        ("https://store.example/1", None, {}, None),
        ("https://api.example.evil.example/1", None, {}, None),
        ("https://api.example:8443/1", None, {}, None),
    ],
)
async def test_the_login_goes_to_the_server_alone(
    url: str, authenticated: bool | None, header: dict[str, str], sent: str | None
) -> None:
    """And only where the action has no login of its own."""
    answered = offered(1, upload={"href": url, "header": header})
    answered |= {} if authenticated is None else {"authenticated": authenticated}
    headers = {name.lower(): value for name, value in revealed((await ticket_of(answered)).headers).items()}
    assert headers.get("authorization") == sent


@pytest.mark.parametrize("code", [403, 404, 409, 410, 422])
async def test_an_error_of_one_object_rejects_that_file_alone(code: int) -> None:
    refused = {"oid": digest(1).hex, "size": SIZE, "error": {"code": code, "message": "no such thing"}}
    first, second = await asked(batch(refused, offered(2)), specs=[spec(1), spec(2)])
    assert first == Rejection(f"the Git LFS server answered {code} for the object: no such thing")
    assert isinstance(second, Ticket)


@pytest.mark.parametrize(
    ("code", "kind"),
    [(429, ProblemKind.THROTTLED), (500, ProblemKind.TRANSIENT), (503, ProblemKind.TRANSIENT)],
)
async def test_an_error_of_one_object_that_may_pass_is_the_problem_of_that_file(code: int, kind: ProblemKind) -> None:
    refused = {"oid": digest(1).hex, "size": SIZE, "error": {"code": code, "message": "later"}}
    first, second = await asked(batch(refused, offered(2)), specs=[spec(1), spec(2)])
    assert first == Problem(kind, f"the Git LFS server answered {code} for the object: later")
    assert isinstance(second, Ticket)


@pytest.mark.parametrize("code", [507, 509])
async def test_an_error_of_one_object_that_concerns_the_account_ends_the_run(code: int) -> None:
    refused = {"oid": digest(1).hex, "size": SIZE, "error": {"code": code, "message": "full"}}
    problem = await problem_of(batch(refused, offered(2)), specs=[spec(1), spec(2)])
    assert (problem.kind, problem.message) == (
        ProblemKind.UNUSABLE,
        f"the Git LFS server answered {code} for the object: full",
    )


async def test_the_branch_is_sent_where_one_is_set() -> None:
    call = FakeCall(batch(offered(1)), batch(offered(1)))
    await provider().presign([spec(1)], call)
    await provider(ref="refs/heads/main").presign([spec(1)], call)
    assert [json.loads(request.body or b"").get("ref") for request in call.requests] == [
        None,
        {"name": "refs/heads/main"},
    ]


@pytest.mark.parametrize("error", ["no", {}, {"message": "no"}, {"code": "422"}])
async def test_an_error_in_another_form_is_one(error: Any) -> None:
    (answer,) = await asked(batch({"oid": digest(1).hex, "error": error}))
    assert isinstance(answer, Rejection)


async def test_a_413_shrinks_this_group_and_the_next_ones() -> None:
    lfs, specs, sizes = provider(), [spec(number) for number in range(8)], list[int]()

    async def call(request: ApiRequest) -> ApiAnswer:
        oids = [entry["oid"] for entry in json.loads(request.body or b"")["objects"]]
        sizes.append(len(oids))
        if len(oids) > 3:
            return answer_of({"message": "too many"}, 413)
        return batch(*[offered(int(oid[:2], 16)) for oid in oids])

    answers = await lfs.presign(specs, call)
    assert [answer.remote_id for answer in answers if isinstance(answer, Ticket)] == [digest(n).hex for n in range(8)]
    assert sizes == [8, 4, 2, 2, 2, 2]
    await lfs.presign(specs[:3], call)
    assert sizes[6:] == [2, 1]


async def test_a_413_for_one_object_rejects_it() -> None:
    assert (await problem_of(answer_of({"message": "too large"}, 413))).kind is ProblemKind.REJECTED


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "netrc"), (403, "may not write"), (404, "/info/lfs"), (507, "no room"), (509, "bandwidth")],
)
async def test_a_refusal_says_what_to_do(status: int, hint: str) -> None:
    problem = await problem_of(answer_of({"message": "no"}, status))
    assert problem.kind is (ProblemKind.UNAUTHORIZED if status == 401 else ProblemKind.UNUSABLE)
    assert hint in problem.message


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_every_status_from_200_to_299_is_a_success_of_the_put(status: int) -> None:
    assert GitLfs.classify(StorageAnswer(status, {}, b""), NOW) is None
    assert GitLfs.classify(StorageAnswer(status, {}, b"<Error><Code>InternalError</Code></Error>"), NOW) is not None


async def test_an_md5_is_sent_where_the_url_takes_one() -> None:
    v4 = "https://store.example/1?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=s"
    ticket = await ticket_of(offered(1, upload={"href": v4}))
    assert ticket.checksum_headers == (ChecksumHeader("Content-MD5", "md5"),)
    assert (await ticket_of(offered(1))).checksum_headers == ()


# Verify calls.

VERIFY = {"href": f"{BASE_URL}/verify/1?sig=s", "header": {"X-Key": "k3y"}, "expires_in": 60}


def receipt() -> Receipt:
    return Receipt(digest(1), Identity(SIZE, 0, 0, 0, 0), None, False, NOW)


async def test_the_verify_call_is_that_of_the_action() -> None:
    lfs = provider()
    ticket = await ticket_of(offered(1, actions={"verify": VERIFY}), lfs=lfs)
    assert lfs.closes(ticket)
    call = FakeCall(answer_of(b"", 204))
    assert await lfs.confirm(ticket, receipt(), call, again=False) == {}
    (request,) = call.requests
    assert (request.method, request.base_url, request.path) == ("POST", BASE_URL, "/verify/1?sig=s")
    assert json.loads(request.body or b"") == {"oid": digest(1).hex, "size": SIZE}
    media_type = "application/vnd.git-lfs+json"
    login = {"Authorization": "Bearer t0ken-0001"}  # of the server itself, and the action has none
    expected = {"Accept": media_type, "Content-Type": media_type, "X-Key": "k3y", **login}
    assert revealed(request.headers) == expected


async def test_a_file_without_a_verify_action_needs_no_call() -> None:
    lfs = provider()
    assert not lfs.closes(await ticket_of(offered(1), lfs=lfs))
    assert not lfs.closes(Ticket(SecretUrl(""), "oid"))


@pytest.mark.parametrize("closing", [None, ClosingAction(SecretUrl(f"{BASE_URL}/old"), {}, NOW + 4)])
async def test_the_server_is_asked_again_where_the_address_is_lost_or_over(closing: ClosingAction | None) -> None:
    """As after a kill. If it has the object by now, nothing is left to do."""
    ticket = Ticket(SecretUrl(""), digest(1).hex, remote={"verify": True}, closing=closing)
    call = FakeCall(batch(offered(1, actions={"verify": VERIFY})), answer_of({}))
    await provider().confirm(ticket, receipt(), call, again=True)
    assert [request.path for request in call.requests] == ["/objects/batch", "/verify/1?sig=s"]
    call = FakeCall(batch({"oid": digest(1).hex, "size": SIZE}))
    await provider().confirm(ticket, receipt(), call, again=True)
    assert [request.path for request in call.requests] == ["/objects/batch"]
    with pytest.raises(ProblemError) as raised:
        await provider().confirm(ticket, receipt(), FakeCall(batch(offered(1))), again=True)
    assert raised.value.problem.kind is ProblemKind.FAILED


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, ProblemKind.FAILED),
        (410, ProblemKind.FAILED),
        (422, ProblemKind.FAILED),
        (401, ProblemKind.UNAUTHORIZED),
        (429, ProblemKind.THROTTLED),
        (500, ProblemKind.TRANSIENT),
    ],
)
async def test_a_refused_verify_call(status: int, kind: ProblemKind) -> None:
    lfs = provider()
    ticket = await ticket_of(offered(1, actions={"verify": VERIFY}), lfs=lfs)
    with pytest.raises(ProblemError) as raised:
        await lfs.confirm(ticket, receipt(), FakeCall(answer_of({"message": "no"}, status)), again=False)
    assert raised.value.problem.kind is kind


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("api.example", True),
        ("lfs.api.example", True),
        ("elsewhere.example", False),
        ("notapi.example", False),
        ("169.254.169.254", False),
        ("allowed.example", True),
    ],
)
async def test_verify_calls_go_to_the_server_or_where_the_user_allows(host: str, allowed: bool) -> None:
    lfs = provider(allowed_hosts=("allowed.example",))
    answer = offered(1, actions={"verify": {"href": f"https://{host}/verify"}})
    if allowed:
        assert (await ticket_of(answer, lfs=lfs)).closing is not None
        return
    with pytest.raises(ProblemError) as raised:
        await ticket_of(answer, lfs=lfs)
    assert raised.value.problem.kind is ProblemKind.UNUSABLE
    assert "allowed_hosts" in raised.value.problem.message


# Logins.


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with nothing in it, and a folder of commands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / "bin").mkdir()
    return tmp_path


def netrc(home: Path, text: str) -> None:
    (home / ".netrc").write_text(text)
    (home / ".netrc").chmod(0o600)


def git(home: Path, script: str) -> GitOptions:
    """Return options that call a script in place of git."""
    command = home / "bin" / "git"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return GitOptions(str(command), timeout=5.0)


def logins(options: GitOptions, credentials: dict[str, Secret] | None = None) -> LoginSource:
    return LoginSource(ProviderConfig("https://git.example:8443/a/b.git/info/lfs", credentials or {}), None, options)


async def test_the_login_of_the_settings_comes_first(home: Path) -> None:
    netrc(home, "machine git.example login other password other")
    source = logins(git(home, "exit 1"), {"lfs_user": Secret("me"), "lfs_password": Secret("pass:word")})
    login = await source.login()
    assert login is not None
    assert login.header.reveal() == basic("me", "pass:word")
    assert not await source.other(login)


async def test_then_that_of_netrc_and_then_that_of_git(home: Path) -> None:
    """git is asked only for another login than one that the server refused."""
    netrc(home, "machine git.example login me password n3trc")
    script = f"cat >{home}/asked; echo protocol=https; echo username=you; echo password=he=lper"
    source = logins(git(home, script))
    first = await source.login()
    assert first is not None
    assert first.header.reveal() == basic("me", "n3trc")
    assert not (home / "asked").exists()
    assert await source.other(first)
    second = await source.login()
    assert second is not None
    assert second.header.reveal() == basic("you", "he=lper")
    assert (home / "asked").read_text() == "protocol=https\nhost=git.example:8443\npath=a/b.git/info/lfs\n\n"
    assert await source.other(first)  # another call has replaced it
    assert not await source.other(second)
    known = {secret.reveal() for secret in source.secrets}
    assert {"n3trc", "he=lper", basic("you", "he=lper").removeprefix("Basic ")} <= known


async def test_without_any_login_none_is_sent(home: Path) -> None:
    source = logins(GitOptions(str(home / "no such git")))
    assert await source.login() is None
    assert not await source.other(None)


@pytest.mark.parametrize("script", ["exit 128", "echo nothing", "echo username=x", ":"])
async def test_git_may_have_no_answer(home: Path, script: str) -> None:
    assert not await logins(git(home, script)).other(None)


async def test_git_is_asked_once_for_each_login_that_was_refused(home: Path) -> None:
    """Several calls are refused at the same time, and each answer may take long."""
    source = logins(git(home, f"echo asked >>{home}/count; exit 1"))
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(source.other, None)
    assert (home / "count").read_text() == "asked\n"


async def test_git_gets_no_terminal_and_no_questions(home: Path) -> None:
    script = f'echo "$GIT_TERMINAL_PROMPT/$GCM_INTERACTIVE/$GIT_ASKPASS/$SSH_ASKPASS/$*" >{home}/seen; exit 1'
    await logins(git(home, script)).other(None)
    assert (home / "seen").read_text() == "0/never///-c core.askPass= credential fill\n"


@pytest.mark.parametrize("script", ["exec sleep 600", "sleep 600", "sleep 600 &"])
async def test_a_helper_that_waits_is_ended(home: Path, script: str) -> None:
    """With the programs that it has started: they keep the output open."""
    options = GitOptions(git(home, script).command, timeout=0.2)
    with pytest.raises(ProblemError) as raised:
        await logins(options).other(None)
    assert raised.value.problem.kind is ProblemKind.UNAUTHORIZED
    assert "gave no answer within 0.2 s" in raised.value.problem.message


@pytest.mark.parametrize("text", ["not a netrc s3cret-word\n", "\xff\xfe"])
async def test_an_unreadable_netrc_is_named_without_its_text(home: Path, text: str) -> None:
    (home / ".netrc").write_bytes(text.encode("latin-1"))
    (home / ".netrc").chmod(0o600)
    with pytest.raises(ProblemError) as raised:
        await logins(git(home, "exit 1")).login()
    assert str(home / ".netrc") in raised.value.problem.message
    assert "s3cret" not in "".join(traceback.format_exception(raised.value))


async def test_a_netrc_elsewhere_is_named_by_its_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = home / "elsewhere"
    elsewhere.write_text("default login d password e")
    monkeypatch.setitem(os.environ, "NETRC", str(elsewhere))
    login = await logins(git(home, "exit 1")).login()
    assert login is not None
    assert login.header.reveal() == basic("d", "e")


async def test_a_call_that_is_refused_is_made_again_with_the_login_of_git(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(home, "echo username=u; echo password=p")
    monkeypatch.setenv("PATH", f"{home}/bin:{os.environ['PATH']}")
    lfs, call = provider(credentials={}), FakeCall(answer_of({}, 401), batch(offered(1)))
    await lfs.presign([spec(1)], call)
    assert ["Authorization" in request.headers for request in call.requests] == [False, True]
    assert revealed(call.requests[1].headers)["Authorization"] == basic("u", "p")
