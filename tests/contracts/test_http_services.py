"""The descriptions of docs/providers/http-services.md: each is checked as a profile, and reads answers as the service's
documentation shows them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from described_services import PAGE, profile, profiles
from provider_cases import NOW, FakeCall, answer_of

from bulkup.config import check_profiles, require_credentials
from bulkup.config.loading import resolve
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.config.requirements import described_settings
from bulkup.config.service_urls import public_base_url
from bulkup.config.toml_file import read
from bulkup.helpers.secrets import Secret
from bulkup.model.files import UNKNOWN_IDENTITY, Digest
from bulkup.model.http import ApiRequest
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.model.tickets import AlreadyThere, Receipt, Rejection, Ticket
from bulkup.providers import FileSpec, NotYet, Provider, ProviderConfig, TicketAnswer, create

BUILT_IN = ("Magic Hour", "MetaStudio", "MetaStudio, files over 5 GiB")  # with a provider of their own
SHA256 = Digest(bytes(range(32)), "sha256")
MD5 = Digest(bytes(range(16)))
OBJECT = {
    "oid": SHA256.hex,
    "size": 5,
    "authenticated": True,
    "actions": {
        "upload": {
            "href": "https://hf-hub-lfs-us-east-1.s3-accelerate.amazonaws.com/repos/1?X-Amz-Signature=s",
            "header": {"X-Thing": "1"},
        }
    },
}
STAGED = {
    "url": "https://shopify-staged-uploads.storage.googleapis.com/",
    "resourceUrl": "https://shopify-staged-uploads.storage.googleapis.com/tmp/1/files/a.png",
    "parameters": [{"name": "success_action_status", "value": "201"}, {"name": "policy", "value": "cDE="}],
}


def checked(folder: Path, title: str) -> Provider:
    """Check a profile of the page as `config check` does, and return its provider with secrets from the environment."""
    text = profiles()[title].replace('"command:', '"env:').replace("get-token", "TOKEN").replace("gen3-token", "TOKEN")
    text = re.sub(r"^source = .*$", f'source = ["{folder}"]', text, flags=re.MULTILINE)
    (folder / "bulkup.toml").write_text(text)
    environ = dict.fromkeys(re.findall(r"env:([A-Z0-9_]+)", text), "s3cret-0001")
    environ |= {"AZURE_SAS": "sv=2024-11-04&sp=cw&sig=s3cret-0001"} if "AZURE_SAS" in environ else {}
    (name,) = check_profiles(
        profile=None, config_file=None, environ=environ, cwd=str(folder), run_commands=False
    ).profiles
    document = read(str(folder / "bulkup.toml"), "bulkup.toml")
    settings = resolve({}, document, profile=name, environ=environ, cwd=str(folder)).settings
    names = (*PROVIDER_DECLARATIONS["http"].settings, *described_settings(settings))
    values = {one: getattr(settings, one) for one in names}
    base_url = public_base_url(settings)
    assert base_url is not None
    return create("http", ProviderConfig(base_url, require_credentials(settings, environ, profile=name), values))


def spec(path: str = "d/a.png", digest: Digest | None = MD5) -> FileSpec:
    name = path.rpartition("/")[2]
    return FileSpec(name, path, name.rpartition(".")[2], 5, digest, NOW)


def ask(
    provider: Provider, specs: Sequence[FileSpec], body: Any, status: int = 200
) -> tuple[Sequence[TicketAnswer], ApiRequest]:
    call = FakeCall(answer_of(body, status))

    async def presign() -> Sequence[TicketAnswer]:
        return await provider.presign(specs, call)

    return asyncio.run(presign()), call.requests[0] if call.requests else ApiRequest("", "")


def body_of(request: ApiRequest) -> Any:
    return json.loads(request.body or b"null")


def the_ticket(answers: Sequence[TicketAnswer]) -> Ticket:
    (answer,) = answers
    assert isinstance(answer, Ticket)
    return answer


@pytest.mark.parametrize("title", profiles())
def test_every_description_is_right(tmp_path: Path, title: str) -> None:
    provider = checked(tmp_path, title)
    assert provider.name == "http"


def test_every_description_has_a_test() -> None:
    """And at least six are of public APIs besides those that have a provider of their own."""
    here = Path(__file__).read_text("utf-8")
    for title in profiles():
        assert title in BUILT_IN[:2] or f'checked(tmp_path, "{title}")' in here, title
    assert len(profiles()) >= 8
    sourced = re.findall(r"^## (.+)\n\nSource: (?:the )?\[[^\]]+\]\(https://", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [*sourced] == [title for title in profiles() if title not in BUILT_IN]
    assert profile("DANDI")["http"]["batch_size"] == 255


def test_large_files_of_metastudio(tmp_path: Path) -> None:
    """They go through a call of their own, without a checksum, and the service says where each part goes."""
    provider = checked(tmp_path, "MetaStudio, files over 5 GiB")
    size = 5 * 1024**3 + 1
    urls = [f"https://obs.example/x/{n}?Expires={NOW + 900 + n:.0f}&Signature=s" for n in range(11)]
    said = {"file_id": "f-1", "upload_urls": urls}
    answers, request = ask(provider, [spec(digest=None)._replace(size=size)], said)
    ticket = the_ticket(answers)
    assert request.path == "/v1/6a6a1f8354f64dd9b9a614def7b59d83/large-files"
    assert (body_of(request)["file_size"], body_of(request)["file_multipart_count"]) == (size, 11)
    assert [one.reveal() for one in (ticket.url, *ticket.more_urls)] == urls
    assert (ticket.remote_id, ticket.headers, ticket.expires_at) == ("f-1", {}, NOW + 900)
    assert provider.capabilities.checksum_first is None
    assert isinstance(provider.reject(spec()), Rejection)
    with pytest.raises(ProblemError, match="not within the limits") as raised:
        ask(provider, [spec()], {"error_code": "APIGW.0308", "error_msg": "not within the limits"}, 400)
    assert raised.value.problem.kind is ProblemKind.THROTTLED


def test_git_lfs(tmp_path: Path) -> None:
    """A new object, one that is there, and one that is refused."""
    provider = checked(tmp_path, "Hugging Face and other Git LFS servers")
    answers, request = ask(provider, [spec(digest=SHA256)], {"transfer": "basic", "objects": [OBJECT]})
    ticket = the_ticket(answers)
    assert (ticket.remote_id, ticket.headers) == (SHA256.hex, {"X-Thing": Secret("1")})
    assert request.path == "/objects/batch"
    assert body_of(request)["objects"] == [{"oid": SHA256.hex, "size": 5}]
    assert request.headers["Content-Type"] == "application/vnd.git-lfs+json"
    there = {name: value for name, value in OBJECT.items() if name != "actions"}
    assert ask(provider, [spec(digest=SHA256)], {"objects": [there]})[0] == [
        AlreadyThere(SHA256.hex, {"id": SHA256.hex})
    ]
    refused = {**there, "error": {"code": 422, "message": "too large"}}
    assert ask(provider, [spec(digest=SHA256)], {"objects": [refused]})[0] == [
        Rejection("Git LFS refuses it: too large")
    ]
    assert provider.capabilities.content_addressed
    with pytest.raises(ProblemError):
        ask(provider, [spec(digest=SHA256)], {"objects": [{**OBJECT, "oid": "ff" * 32}]})


def test_dandi(tmp_path: Path) -> None:
    """The entries are URLs."""
    provider = checked(tmp_path, "DANDI")
    urls = [f"https://dandiarchive.s3.amazonaws.com/zarr/7723/0/{n}?X-Amz-Signature=s" for n in range(2)]
    answers, request = ask(provider, [spec("0/0"), spec("0/1")], urls)
    assert [one.url.reveal() for one in answers if isinstance(one, Ticket)] == urls
    assert request.path == "/zarr/7723d02f-1f71-4553-a7b0-47bda1ae8b42/files/"
    assert body_of(request) == [{"path": path, "base64md5": MD5.base64} for path in ("0/0", "0/1")]
    assert [one.headers for one in answers if isinstance(one, Ticket)] == [{"Content-MD5": MD5.base64}] * 2


def test_shopify(tmp_path: Path) -> None:
    provider = checked(tmp_path, "Shopify")
    answers, request = ask(
        provider, [spec()], {"data": {"stagedUploadsCreate": {"stagedTargets": [STAGED], "userErrors": []}}}
    )
    ticket = the_ticket(answers)
    assert (ticket.method, ticket.remote_id) == ("POST", STAGED["resourceUrl"])
    assert ticket.form == (("success_action_status", Secret("201")), ("policy", Secret("cDE=")))
    assert body_of(request)["variables"]["input"][0]["mimeType"] == "image/png"
    assert "{{" not in body_of(request)["query"]
    refused = {
        "data": {"stagedUploadsCreate": {"stagedTargets": None, "userErrors": [{"message": "Filename is too long"}]}}
    }
    with pytest.raises(ProblemError, match="Filename is too long"):
        ask(provider, [spec()], refused)


def test_slack(tmp_path: Path) -> None:
    provider = checked(tmp_path, "Slack")
    said = {"ok": True, "upload_url": "https://files.slack.com/upload/v1/ABC123", "file_id": "F123ABC456"}
    answers, request = ask(provider, [spec("d/a b.png")], said)
    ticket = the_ticket(answers)
    assert (ticket.method, ticket.remote_id, ticket.success) == ("POST", "F123ABC456", (200,))
    assert (request.path, request.body) == ("/api/files.getUploadURLExternal", b"filename=a+b.png&length=5")
    with pytest.raises(ProblemError, match="Slack answered 200: invalid_auth"):
        ask(provider, [spec()], {"ok": False, "error": "invalid_auth"})
    call = FakeCall(answer_of({"ok": True, "files": []}))
    receipt = Receipt(MD5, UNKNOWN_IDENTITY, None, False, NOW)
    assert not isinstance(asyncio.run(_confirm(provider, ticket, receipt, call)), NotYet)
    assert call.requests[0].headers["Content-Type"] == "application/json"
    assert body_of(call.requests[0])["files"] == [{"id": "F123ABC456", "title": "a b.png"}]
    with pytest.raises(ProblemError, match="file_not_found"):
        asyncio.run(_confirm(provider, ticket, receipt, FakeCall(answer_of({"ok": False, "error": "file_not_found"}))))


async def _confirm(provider: Provider, ticket: Ticket, receipt: Receipt, call: FakeCall) -> Any:
    return await provider.confirm(ticket, receipt, call, again=False)


def test_supabase(tmp_path: Path) -> None:
    """The URL is relative."""
    provider = checked(tmp_path, "Supabase Storage")
    said = {"url": "/object/upload/sign/avatars/d/a.png?token=eyJhbGciOi", "token": "eyJhbGciOi"}
    answers, request = ask(provider, [spec()], said)
    assert the_ticket(answers).url.reveal() == f"https://project.supabase.co/storage/v1{said['url']}"
    assert (request.path, body_of(request)) == ("/object/upload/sign/avatars/d/a.png", {})


def test_gen3(tmp_path: Path) -> None:
    provider = checked(tmp_path, "Gen3")
    said = {"guid": "dg.1234/8e0b", "url": "https://bucket.s3.amazonaws.com/8e0b/a.png?X-Amz-Signature=s"}
    answers, request = ask(provider, [spec()], said, 201)
    assert the_ticket(answers).remote_id == "dg.1234/8e0b"
    assert body_of(request) == {"file_name": "a.png"}


def test_azure(tmp_path: Path) -> None:
    ticket = the_ticket(ask(checked(tmp_path, "Azure Blob Storage"), [spec("d/ü.png")], {})[0])
    assert ticket.url.reveal().startswith(
        "https://account.blob.core.windows.net/container/d/%C3%BC.png?sv=2024-11-04&sp=cw&sig="
    )
    assert (ticket.headers["x-ms-blob-type"], ticket.success, ticket.proof) == ("BlockBlob", (201,), "content-md5")


def test_artifactory(tmp_path: Path) -> None:
    ticket = the_ticket(ask(checked(tmp_path, "Artifactory"), [spec()], {})[0])
    assert (ticket.remote_id, ticket.proof) == ("/artifactory/builds/d/a.png", "body:checksums.md5")
    assert isinstance(ticket.headers["Authorization"], Secret)


def test_gitlab(tmp_path: Path) -> None:
    ticket = the_ticket(ask(checked(tmp_path, "GitLab packages"), [spec()], {})[0])
    assert ticket.url.reveal() == "https://gitlab.example.com/api/v4/projects/24/packages/generic/models/1.0.0/d/a.png"
    assert ticket.headers == {"PRIVATE-TOKEN": Secret("s3cret-0001")}
