"""The tickets of `s3`, and what it makes of the store's answers."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bulkup.config.catalogue import SETTINGS
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.helpers.secrets import Secret
from bulkup.model.files import Digest, Place
from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.problems import ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.providers import FileSpec, Provider, ProviderConfig, create

NOW = 1_700_000_000.0


class Clock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def provider(**settings: Any) -> Provider:
    names = PROVIDER_DECLARATIONS["s3"].settings
    values = {name: SETTINGS[name].default for name in names} | {"region": "eu-west-1", "bucket": "bucket"} | settings
    keys = {"access_key": Secret("AKIA"), "secret_key": Secret("s3cret")}
    return create("s3", ProviderConfig("https://s3.eu-west-1.amazonaws.com", keys, values, Clock()))


def spec(path: str, size: int = 5) -> FileSpec:
    name = path.rpartition("/")[2]
    return FileSpec(name, path, name.rpartition(".")[2] if "." in name else "", size)


async def no_call(request: ApiRequest) -> ApiAnswer:
    raise AssertionError("signing needs no call")


async def ticket(path: str = "a/b.jpg", **settings: Any) -> Ticket:
    (answer,) = await provider(**settings).presign([spec(path)], no_call)
    assert isinstance(answer, Ticket)
    return answer


async def test_a_ticket() -> None:
    made = await ticket("a/b c.jpg")
    url = urlsplit(made.url.reveal())
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://bucket.s3.eu-west-1.amazonaws.com/a/b%20c.jpg"
    stated = parse_qs(url.query)
    assert stated["X-Amz-Expires"] == ["3600"]
    assert stated["X-Amz-SignedHeaders"] == ["content-type;host"]
    assert made.expires_at == NOW + 3600
    assert made.headers == {"content-type": "image/jpeg"}
    assert (made.method, made.content_md5, made.remote_id) == ("PUT", True, "a/b c.jpg")
    assert made.remote == {"bucket": "bucket", "key": "a/b c.jpg"}


async def test_every_property_of_an_object_is_a_signed_header() -> None:
    made = await ticket(
        acl="private",
        sse="aws:kms",
        sse_kms_key="arn:aws:kms:eu-west-1:1:key/2",
        storage_class="STANDARD_IA",
        tags={"a b": "c&d", "e": "ü"},
        metadata={"project": "x  7"},
        if_none_match=True,
    )
    assert made.headers == {
        "content-type": "image/jpeg",
        "if-none-match": "*",
        "x-amz-acl": "private",
        "x-amz-meta-project": "x  7",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-west-1:1:key/2",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-tagging": "a%20b=c%26d&e=%C3%BC",
    }
    signed = parse_qs(urlsplit(made.url.reveal()).query)["X-Amz-SignedHeaders"][0].split(";")
    assert signed == sorted([*made.headers, "host"])


async def test_a_checksum_is_signed_if_the_file_was_hashed() -> None:
    here = provider(checksum_algorithm="sha256", multipart_from=100)
    assert here.capabilities.checksum_first == "sha256"
    assert here.capabilities.proof == "md5"
    assert here.hashes_first(spec("a", 99))
    assert not here.hashes_first(spec("a", 100))
    (made,) = await here.presign([spec("a.jpg")._replace(digest=Digest(bytes(32), "sha256"))], no_call)
    assert isinstance(made, Ticket)
    assert made.headers["x-amz-checksum-sha256"] == "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    signed = parse_qs(urlsplit(made.url.reveal()).query)["X-Amz-SignedHeaders"]
    assert signed == ["content-type;host;x-amz-checksum-sha256"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("a.mp4", "video/mp4"), ("a.HTML", "text/html"), ("a", "application/octet-stream"), ("a.raw", "image/x-own")],
)
async def test_content_types(path: str, kind: str) -> None:
    here = provider(content_types={"raw": "image/x-own"})
    _, dot, extension = path.rpartition(".")
    (made,) = await here.presign([FileSpec(path, path, extension.lower() if dot else "", 1)], no_call)
    assert isinstance(made, Ticket)
    assert made.headers["content-type"] == kind


async def test_places_and_rejections() -> None:
    here = provider(key="{stem}/{ext}")
    assert here.place(spec("x/a.mp4")) == Place("a/mp4", exclusive=True)
    assert here.place(spec("x/b\udcff.mp4")) is None
    rejected = here.reject(spec("x/b\udcff.mp4"))
    assert rejected is not None
    assert "UTF-8" in rejected.reason
    rejected = provider().reject(spec("x" * 1025))
    assert rejected is not None
    assert "1025 bytes" in rejected.reason
    assert here.scope == "bucket"


def answer(status: int, code: str, message: str = "m") -> StorageAnswer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return StorageAnswer(status, {"content-type": "application/xml"}, body.encode())


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (404, "NoSuchBucket", ProblemKind.REFUSED, "check bucket, region, addressing and base_url"),
        (301, "PermanentRedirect", ProblemKind.FAILED, "the bucket is in another region: set region"),
        (400, "AuthorizationQueryParametersError", ProblemKind.FAILED, "check region"),
        (403, "RequestTimeTooSkewed", ProblemKind.FAILED, "set the clock of this machine"),
        (403, "SignatureDoesNotMatch", ProblemKind.FAILED, "check secret_key and region"),
        (400, "ExpiredToken", ProblemKind.EXPIRED, "log in again"),
        (403, "AccessDenied", ProblemKind.REFUSED, "s3:PutObject"),
        (412, "PreconditionFailed", ProblemKind.FAILED, "an object with this key exists"),
        (409, "ConditionalRequestConflict", ProblemKind.TRANSIENT, "another upload"),
        (400, "KeyTooLongError", ProblemKind.FAILED, "check key"),
        (501, "NotImplemented", ProblemKind.FAILED, "lacks a feature"),
        (503, "SlowDown", ProblemKind.THROTTLED, "m"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, code: str, kind: ProblemKind, said: str) -> None:
    problem = provider().classify(answer(status, code), NOW)
    assert problem is not None
    assert problem.kind is kind
    assert re.search(rf"{code}: m.*{re.escape(said)}|{code}: m", problem.message)
    assert said in problem.message


def test_a_url_that_was_used_too_late() -> None:
    problem = provider().classify(answer(403, "AccessDenied", "Request has expired"), NOW)
    assert problem is not None
    assert problem.kind is ProblemKind.EXPIRED
    assert "PutObject" not in problem.message


def test_an_accepted_upload() -> None:
    assert provider().classify(StorageAnswer(200, {"etag": '"x"'}, b""), NOW) is None
