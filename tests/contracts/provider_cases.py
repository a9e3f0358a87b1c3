"""The services as described for the provider test suite, and a fake API call for their adapters.

Add a new provider as one more line in `CASES`.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from described_services import profile

from bulkup.config.description_parsing import parse_description
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Digest
from bulkup.model.http import ApiAnswer, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.providers import FileSpec, Provider, ProviderConfig, TicketAnswer, create
from bulkup.providers.base import GIB

BASE_URL = "https://api.example"
NOW = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"  # is NOW
EXTENSIONS = ["mp4", "mp3", "png", "wav", "webm"]
DIGEST = Digest(bytes(range(16)))
Item = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """The description of a service for the suite.

    `url` and `id` are keys of an item in an answer. `error` makes the body of a refusal, and `said` is its message.
    `answer` makes the body of an answer from items. `lease` sets the expiry of a ticket, in seconds after the service's
    time. `group` is the number of files per call in the suite. `method`, `headers` and `form` (field names) are those
    of the expected ticket. `kinds` maps statuses that have a special meaning for this service.
    """

    name: str
    credential: str
    path: str
    url: str
    id: str
    item: Callable[[int, FileSpec], Item]
    answer: Callable[[Sequence[Any]], Any]
    asked: Callable[[ApiRequest], list[str]]  # the extensions, in order, that a request tells
    error: Callable[[str], Any]
    lease: Callable[[Item, float], Item]
    header: str = "Authorization"
    header_value: str = "Bearer {}"
    settings: Mapping[str, Any] = field(default_factory=dict)
    keyed: bool = False  # the answer names the file it is for, so its order means nothing
    group: int = len(EXTENSIONS)
    smallest: int = 0
    largest: int = 5 * GIB
    digest: Digest | None = None
    method: str = "PUT"
    headers: Callable[[FileSpec], Mapping[str, str]] = lambda spec: {}
    form: tuple[str, ...] | None = None
    kinds: Mapping[int, ProblemKind] = field(default_factory=dict)
    described_as: str = ""  # the section of docs/providers/http-services.md, for provider `http`
    numbers_are_ids: bool = False

    @property
    def provider(self) -> str:
        """Return the name of the provider."""
        return "http" if self.described_as else self.name

    @property
    def service(self) -> str:
        """Return the service as its messages name it."""
        return self.described_as or self.name

    def digest_of(self, number: int) -> Digest | None:
        """Return the digest of the n-th file, as the provider needs it for its call."""
        if self.digest is None or self.digest.algorithm == "md5":
            return self.digest
        return Digest(hashlib.sha256(b"%d" % number).digest(), self.digest.algorithm)

    @property
    def extensions(self) -> list[str]:
        """Return as many extensions as there are files in a call."""
        return EXTENSIONS[: self.group]


def rfc3339(then: float) -> str:
    return dt.datetime.fromtimestamp(then, dt.UTC).isoformat().replace("+00:00", "Z")


def body_of(request: ApiRequest) -> Any:
    assert request.headers["Content-Type"] in ("application/json", "application/vnd.git-lfs+json")
    return json.loads(request.body or b"")


def lfs_object(item: Any) -> Any:
    """Return the object of an answer of Git LFS, whose upload action has some of the keys."""
    if not isinstance(item, dict):
        return item
    action = {key: value for key, value in item.items() if key in ("href", "expires_in", "header")}
    rest = {key: value for key, value in item.items() if key not in action}
    return {**rest, "authenticated": True, "actions": {"upload": action}}


def query_of(request: ApiRequest) -> dict[str, str]:
    query = parse_qs(request.path.partition("?")[2], keep_blank_values=True, strict_parsing=True)
    return {name: value for name, (value,) in query.items()}


def policy(expiration: Any = "2023-11-14T23:13:20.000Z") -> str:
    return base64.b64encode(json.dumps({"expiration": expiration, "conditions": []}).encode()).decode()


def form_of(key: str) -> dict[str, str]:
    """Return the fields of the service's example, in their order."""
    return {
        "name": "",
        "success_action_status": "201",
        "filename": "",
        "chunk": "0",
        "chunks": "1",
        "policy": policy(),
        "signature": "c2lnbmF0dXJl",
        "AWSAccessKeyId": "AKIA",
        "key": f"tmp/{key}",
        "acl": "private",
    }


CASES = [
    Case(
        name="magic-hour",
        credential="token",
        path="/v1/files/upload-urls",
        url="upload_url",
        id="file_path",
        item=lambda n, spec: {
            "upload_url": f"https://videos.example/api-assets/{n}/v.{spec.extension}?auth-value={n}",
            "expires_at": "2023-11-14T23:13:20Z",
            "file_path": f"api-assets/{n}/v.{spec.extension}",
        },
        answer=lambda items: {"items": list(items)},
        asked=lambda request: [item["extension"] for item in body_of(request)["items"]],
        error=lambda said: {"message": said},
        lease=lambda item, seconds: {**item, "expires_at": rfc3339(NOW + seconds)},
    ),
    Case(
        name="move-ugc",
        credential="api_key",
        header_value="{}",
        path="/ugc/graphql",
        url="presignedUrl",
        id="id",
        item=lambda n, spec: {
            "id": f"file-{n}",
            "presignedUrl": f"https://s3.example/{n}.{spec.extension}?AWSAccessKeyId=A&Signature={n}&Expires=1700003600",
        },
        answer=lambda items: {"data": {f"f{n}": item for n, item in enumerate(items)}},
        asked=lambda request: [
            body_of(request)["variables"][f"t{n}"] for n in range(len(body_of(request)["variables"]) // 2)
        ],
        error=lambda said: {"errors": [{"message": said}]},
        lease=lambda item, seconds: {
            **item,
            "presignedUrl": f"https://s3.example/{item['id']}?Expires={NOW + seconds:.0f}",
        },
        keyed=True,
    ),
    Case(
        name="metastudio",
        credential="auth_token",
        header="X-Auth-Token",
        header_value="{}",
        path="/v1/p-1/files",
        url="upload_url",
        id="file_id",
        item=lambda n, spec: {
            "file_id": f"8b9ecfde{n}",
            "upload_url": f"https://obs.example:443/x/a-1/{n}.jpg?AccessKeyId=A&Expires=1700086400&Signature=s",
        },
        answer=lambda items: next(iter(items), {}),
        asked=lambda request: [body_of(request)["file_type"]],
        error=lambda said: {"error_code": "APIGW.9999", "error_msg": said},
        lease=lambda item, seconds: {**item, "upload_url": f"https://obs.example/x?Expires={NOW + seconds:.0f}"},
        settings={
            "project_id": "p-1",
            "asset_id": "a-1",
            "asset_file_category": "OTHER",
            "asset_type": None,
            "assets": (),
            "asset_map": None,
            "app_user_id": None,
            "region": "cn-north-4",
            "iam_url": "https://iam.example",
            "confirm": True,
        },
        group=1,
        smallest=1,
        largest=500 * GIB,
        digest=DIGEST,
        headers=lambda spec: {
            "Content-MD5": DIGEST.base64,
            "Content-Type": {"mp4": "video/mp4", "mp3": "audio/mp3"}[spec.extension],
        },
        kinds={403: ProblemKind.UNAUTHORIZED, 409: ProblemKind.REJECTED},
    ),
    Case(
        name="xvid",
        credential="token",
        path="/v1/files/uploads/",
        url="form_post_url",
        id="id",
        item=lambda n, spec: {
            "form_post_params": form_of(spec.path),
            "form_post_url": "https://prd-xmc.s3.example/",
            "status": "UPLOADING",
            "object_key": spec.path,
            "nb_chunks": 0,
            "type": "S3",
            "pipeline": {"id": "53a1"},
            "file": {"id": f"5a1b{n}"},
            "id": f"5a1b{n}",
        },
        answer=lambda items: {"upload": next(iter(items), None)},
        asked=lambda request: [query_of(request)["object_key"].rpartition(".")[2]],
        error=lambda said: {"error": {"error_code": "0x9999999", "error_message": said}},
        lease=lambda item, seconds: {
            **item,
            "form_post_params": {**item["form_post_params"], "policy": policy(rfc3339(NOW + seconds))},
        },
        settings={"pipeline_id": "53a1", "object_key": "{path}", "expires_at": None, "ip": None, "confirm": True},
        group=1,
        method="POST",
        form=tuple(form_of("")),
    ),
    Case(
        name="git-lfs",
        credential="token",
        path="/objects/batch",
        url="href",
        id="oid",
        item=lambda n, spec: {
            "oid": spec.digest.hex if spec.digest is not None else "",
            "size": spec.size,
            "href": f"https://lfs.example/objects/{n}?sig={n}",
            "expires_in": 3600,
        },
        answer=lambda items: {"objects": [lfs_object(item) for item in items]},
        asked=lambda request: [EXTENSIONS[entry["size"] - 1] for entry in body_of(request)["objects"]],
        error=lambda said: {"message": said},
        lease=lambda item, seconds: {**item, "expires_in": seconds},
        settings={"confirm": True, "allowed_hosts": ()},
        largest=2**63 - 1,
        digest=Digest(bytes(32), "sha256"),
        headers=lambda spec: {"Content-Type": "application/octet-stream"},
    ),
    Case(
        name="local",
        credential="token",
        path="/local/v1/tickets",
        url="url",
        id="id",
        item=lambda n, spec: {
            "url": f"https://127.0.0.1:1/b/{n}.{spec.extension}?X-Amz-Signature={n}",
            "id": f"local/{n}.{spec.extension}",
            "expires_in": 3600,
        },
        answer=lambda items: {"tickets": list(items)},
        asked=lambda request: [item["extension"] for item in body_of(request)["files"]],
        error=lambda said: {"message": said},
        lease=lambda item, seconds: {**item, "expires_in": seconds},
    ),
]


def described(name: str, title: str, **changed: Any) -> Case:
    """Return a case for provider `http` with the description of a service, in place of the built-in provider."""
    built_in = next(case for case in CASES if case.name == name)
    settings = profile(title)
    settings["http"] = parse_description(settings["http"])
    values = {"numbers_are_ids": True, "settings": {**built_in.settings, **settings, "confirm": True}, **changed}
    return replace(built_in, name=f"http as {name}", described_as=title, **values)


METASTUDIO_LARGEST = 5 * GIB  # its description has no files in parts
CASES += [
    described("magic-hour", "Magic Hour"),
    described(
        "metastudio",
        "MetaStudio",
        path=f"/v1/{profile('MetaStudio')['project_id']}/files",
        error=lambda said: {"error_msg": said},
        largest=METASTUDIO_LARGEST,
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_grouping_case = pytest.mark.parametrize("case", [c for c in CASES if c.group > 1], ids=lambda case: case.name)


def the_case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def provider_of(case: Case, secret: str = "s3cret-key-0001", base_url: str = BASE_URL) -> Provider:
    return create(case.provider, ProviderConfig(base_url, {case.credential: Secret(secret)}, case.settings))


def configured(case: Case, **changed: Any) -> Provider:
    """Return the provider with some settings changed."""
    return create(
        case.provider, ProviderConfig(BASE_URL, {case.credential: Secret("tok")}, {**case.settings, **changed})
    )


def specs_of(case: Case, *extensions: str) -> list[FileSpec]:
    return [
        FileSpec(f"n{n}.{extension}", f"d/n{n}.{extension}", extension, n + 1, case.digest_of(n))
        for n, extension in enumerate(extensions)
    ]


def items_of(case: Case, *extensions: str) -> list[Item]:
    return [case.item(n, spec) for n, spec in enumerate(specs_of(case, *extensions))]


def answer_of(body: Any, status: int = 200, **headers: str) -> ApiAnswer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ApiAnswer(status, {"content-type": "application/json", **headers}, raw, NOW)


class FakeCall:
    """Answers calls in turn, repeats the last answer, and records the requests."""

    def __init__(self, *answers: ApiAnswer) -> None:
        self.answers = list(answers)
        self.requests: list[ApiRequest] = []

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def asked_with(provider: Provider, call: FakeCall, specs: Sequence[FileSpec]) -> list[Ticket]:
    """Request tickets, and return them if each file has one."""

    async def ask() -> Sequence[TicketAnswer]:
        return await provider.presign(specs, call)

    tickets = asyncio.run(ask())
    assert all(isinstance(ticket, Ticket) for ticket in tickets)
    return [ticket for ticket in tickets if isinstance(ticket, Ticket)]


def presign(case: Case, answer: ApiAnswer, specs: Sequence[FileSpec], **config: str) -> list[Ticket]:
    return asked_with(provider_of(case, **config), FakeCall(answer), specs)


def refusal(case: Case, answer: ApiAnswer, specs: Sequence[FileSpec] | None = None, **config: str) -> Problem:
    """Return the problem of an answer that gives no tickets."""
    with pytest.raises(ProblemError) as raised:
        presign(case, answer, specs if specs is not None else specs_of(case, *case.extensions), **config)
    return raised.value.problem
