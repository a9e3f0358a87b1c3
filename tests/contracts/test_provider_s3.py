"""The tickets of `s3`, and what it makes of the store's answers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bulkup.config.catalogue import SETTINGS
from bulkup.config.provider_declarations import PROVIDER_DECLARATIONS
from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret
from bulkup.model.files import UNKNOWN_IDENTITY, Algorithm, Digest, Place
from bulkup.model.http import ApiAnswer, ApiRequest, StorageAnswer
from bulkup.model.problems import ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import PartPlan, Receipt, SentPart, Ticket
from bulkup.pipeline.files.hashing import digests_of_data
from bulkup.providers import FileSpec, PartSpec, Provider, ProviderConfig, create

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
    endpoint = values.pop("base_url", "https://s3.eu-west-1.amazonaws.com")
    return create("s3", ProviderConfig(endpoint, keys, values, Clock()))


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


def test_an_endpoint_that_ends_with_the_bucket() -> None:
    """Its objects would silently get keys that begin with the bucket's name."""
    for endpoint in ("https://store.example/bucket", "https://store.example/bucket/"):
        with pytest.raises(UsageError, match="base_url ends with the bucket bucket"):
            provider(base_url=endpoint)
    assert provider(base_url="https://store.example/s3").scope == "bucket"


def answer(status: int, code: str, message: str = "m") -> StorageAnswer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return StorageAnswer(status, {"content-type": "application/xml"}, body.encode())


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (404, "NoSuchBucket", ProblemKind.REFUSED, "check bucket, region, addressing and base_url"),
        (301, "PermanentRedirect", ProblemKind.FAILED, "the bucket is in another region: set region"),
        (400, "AuthorizationQueryParametersError", ProblemKind.FAILED, "check region"),
        (403, "RequestTimeTooSkewed", ProblemKind.EXPIRED, "set the clock of this machine"),
        (403, "SignatureDoesNotMatch", ProblemKind.FAILED, "check secret_key and region"),
        (400, "ExpiredToken", ProblemKind.EXPIRED, "log in again"),
        (403, "InvalidAccessKeyId", ProblemKind.UNAUTHORIZED, "check access_key"),
        (400, "InvalidToken", ProblemKind.UNAUTHORIZED, "check security_token"),
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


def test_a_url_that_is_used_too_early() -> None:
    """It is signed anew, with the store's time."""
    problem = provider().classify(answer(403, "AccessDenied", "Request is not yet valid"), NOW)
    assert problem is not None
    assert problem.kind is ProblemKind.EXPIRED
    assert "set the clock of this machine" in problem.message


def test_a_url_that_was_used_too_late() -> None:
    problem = provider().classify(answer(403, "AccessDenied", "Request has expired"), NOW)
    assert problem is not None
    assert problem.kind is ProblemKind.EXPIRED
    assert "PutObject" not in problem.message


def test_an_accepted_upload() -> None:
    assert provider().classify(StorageAnswer(200, {"etag": '"x"'}, b""), NOW) is None


class Answers:
    """A call that answers in turn, and records the methods and queries of its requests."""

    def __init__(self, *answers: tuple[int, str, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.made: list[tuple[str, str]] = []
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, request: ApiRequest) -> ApiAnswer:
        self.made.append((request.method, request.path.partition("?")[2]))
        assert request.base_url == "https://bucket.s3.eu-west-1.amazonaws.com"
        assert request.signed is not None
        signed = request.signed(NOW)
        assert str(signed["Authorization"]) != ""
        self.bodies.append((request.body or b"").decode())
        self.headers.append({name: str(value) for name, value in signed.items()})
        status, body, headers = self.answers.pop(0)
        return ApiAnswer(status, headers, body.encode(), NOW)


PART = SentPart(1, "e1", Digest(bytes(16)), verified=True)
ETAG = f"{hashlib.md5(bytes(16), usedforsecurity=False).hexdigest()}-1"
DONE = "<CompleteMultipartUploadResult><ETag>&quot;{}&quot;</ETag></CompleteMultipartUploadResult>"
NO_UPLOAD = "<Error><Code>NoSuchUpload</Code><Message>m</Message></Error>"


async def in_parts() -> Ticket:
    call = Answers((200, "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>", {}))
    (made,) = await provider(multipart_from=5, if_none_match=True).presign([spec("a.jpg", 25 * 1024**2)], call)
    assert isinstance(made, Ticket)
    assert call.made == [("POST", "uploads=")]
    return made


def receipt(*, verified: bool = True) -> Receipt:
    return Receipt(None, UNKNOWN_IDENTITY, None, verified, NOW, (PART,))


async def test_a_large_file_gets_a_plan_and_its_parts_get_urls() -> None:
    made = await in_parts()
    assert made.parts == PartPlan(16 * 1024**2, 2, "a.jpg")
    assert (made.remote_id, made.object_id, made.expires_at) == ("a.jpg?uploadId=u/1", "a.jpg", None)
    assert made.url.reveal() == "https://bucket.s3.eu-west-1.amazonaws.com/a.jpg"
    (part,) = await provider().part_tickets(made, [PartSpec(2)], no_call)
    query = parse_qs(urlsplit(part.url.reveal()).query)
    assert (query["partNumber"], query["uploadId"], query["X-Amz-SignedHeaders"]) == (["2"], ["u/1"], ["host"])


@pytest.mark.parametrize(
    ("size", "plan"),
    [
        (16 * 1024**2, PartPlan(16 * 1024**2, 1, "a.jpg")),
        (10_000 * 16 * 1024**2, PartPlan(16 * 1024**2, 10_000, "a.jpg")),
        (10_000 * 16 * 1024**2 + 1, PartPlan(17 * 1024**2, 9_412, "a.jpg")),
        (48 * 1024**4, PartPlan(5034 * 1024**2, 9_999, "a.jpg")),
    ],
)
async def test_no_file_has_more_than_10000_parts(size: int, plan: PartPlan) -> None:
    call = Answers((200, "<R><UploadId>u</UploadId></R>", {}))
    (made,) = await provider().presign([spec("a.jpg", size)], call) if size >= 64 * 1024**2 else await _forced(size)
    assert isinstance(made, Ticket)
    assert made.parts == plan
    assert plan.count <= 10_000


async def _forced(size: int) -> Any:
    call = Answers((200, "<R><UploadId>u</UploadId></R>", {}))
    return await provider(multipart_from=1).presign([spec("a.jpg", size)], call)


async def test_a_file_over_5_gib_is_always_sent_in_parts() -> None:
    here, largest = provider(multipart_from=1024**5), 5 * 1024**3
    call = Answers((200, "<R><UploadId>u</UploadId></R>", {}))
    whole, parts = await here.presign([spec("a", largest), spec("b", largest + 1)], call)
    assert isinstance(whole, Ticket)
    assert isinstance(parts, Ticket)
    assert (whole.parts, parts.parts is None) == (None, False)


async def test_a_completion() -> None:
    call = Answers((200, DONE.format(ETAG), {}))
    assert await provider().confirm(await in_parts(), receipt(), call, again=False) == {"etag": ETAG}
    assert call.made == [("POST", "uploadId=u%2F1")]


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("<Error><Code>InternalError</Code></Error>", ProblemKind.TRANSIENT, "InternalError"),
        (DONE.format("0" * 32 + "-1"), ProblemKind.FAILED, "the store joined other parts than were sent"),
        (NO_UPLOAD, ProblemKind.FAILED, "NoSuchUpload"),
        ("not xml", ProblemKind.UNUSABLE, "no XML"),
    ],
)
async def test_a_completion_that_fails_with_the_status_200(body: str, kind: ProblemKind, said: str) -> None:
    with pytest.raises(ProblemError, match=said) as raised:
        await provider().confirm(await in_parts(), receipt(), Answers((200, body, {})), again=False)
    assert raised.value.problem.kind is kind


async def test_an_etag_that_is_no_md5() -> None:
    """As with KMS, where the parts are not proved by their ETags."""
    call = Answers((200, DONE.format("0" * 32 + "-1"), {}))
    closed = await provider().confirm(await in_parts(), receipt(verified=False), call, again=False)
    assert closed == {"etag": "0" * 32 + "-1"}


async def test_a_completion_whose_answer_was_lost() -> None:
    call = Answers((404, NO_UPLOAD, {}), (200, "", {"etag": f'"{ETAG}"'}))
    assert await provider().confirm(await in_parts(), receipt(), call, again=True) == {"etag": ETAG}
    assert [method for method, _ in call.made] == ["POST", "HEAD"]


@pytest.mark.parametrize("etag", ["0" * 32, "0" * 32 + "-1", "0" * 32 + "-2"])
async def test_another_object_does_not_count_as_completed(etag: str) -> None:
    call = Answers((404, NO_UPLOAD, {}), (200, "", {"etag": f'"{etag}"'}))
    with pytest.raises(ProblemError, match="NoSuchUpload"):
        await provider().confirm(await in_parts(), receipt(), call, again=True)


SIZE = 25 * 1024**2
DONE_WITH = (
    "<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag><Checksum{0}>{1}</Checksum{0}>"
    "</CompleteMultipartUploadResult>"
)


async def with_checksums(algorithm: Algorithm) -> tuple[Provider, Ticket, list[SentPart], bytes]:
    """Return a provider, the ticket of an upload, its two parts that were sent with checksums, and the file."""
    here, data = provider(multipart_from=5, checksum_algorithm=algorithm), os.urandom(64) * (SIZE // 64)
    call = Answers((200, "<R><UploadId>u</UploadId></R>", {}))
    (made,) = await here.presign([spec("a.jpg", SIZE)], call)
    assert isinstance(made, Ticket)
    assert call.headers[0]["x-amz-checksum-algorithm"] == algorithm.upper()
    pieces = data[: 16 * 1024**2], data[16 * 1024**2 :]
    digests = [digests_of_data(piece, (algorithm,))[0] for piece in pieces]
    return here, made, [SentPart(n, f"e{n}", digest, verified=True) for n, digest in enumerate(digests, 1)], data


def expected_checksum(algorithm: Algorithm, parts: list[SentPart], data: bytes) -> str:
    if algorithm == "crc64nvme":
        return digests_of_data(data, (algorithm,))[0].base64
    joined = b"".join(part.digest.value for part in parts if part.digest is not None)
    return f"{digests_of_data(joined, (algorithm,))[0].base64}-2"


ALGORITHMS = pytest.mark.parametrize("algorithm", ["sha256", "crc32c", "crc64nvme"])


@ALGORITHMS
async def test_the_checksum_of_a_part_is_signed(algorithm: Algorithm) -> None:
    here, made, parts, _ = await with_checksums(algorithm)
    assert here.capabilities.part_checksum == algorithm
    (part,) = await here.part_tickets(made, [PartSpec(1, parts[0].digest)], no_call)
    assert parts[0].digest is not None
    assert part.headers == {f"x-amz-checksum-{algorithm}": parts[0].digest.base64}
    signed = parse_qs(urlsplit(part.url.reveal()).query)["X-Amz-SignedHeaders"]
    assert signed == [f"host;x-amz-checksum-{algorithm}"]


@ALGORITHMS
async def test_a_completion_states_the_checksums(algorithm: Algorithm) -> None:
    """Those of the parts; and that of the whole object where the store can compare it."""
    here, made, parts, data = await with_checksums(algorithm)
    expected, name = expected_checksum(algorithm, parts, data), algorithm.upper()
    call = Answers((200, DONE_WITH.format(name, expected), {}))
    whole = Receipt(None, UNKNOWN_IDENTITY._replace(size=SIZE), None, True, NOW, tuple(parts))
    assert await here.confirm(made, whole, call, again=False) == {"etag": "e-2", "checksum": expected}
    for part in parts:
        assert part.digest is not None
        assert f"<Checksum{name}>{part.digest.base64}</Checksum{name}>" in call.bodies[0]
    stated = call.headers[0].get(f"x-amz-checksum-{algorithm}"), call.headers[0].get("x-amz-checksum-type")
    assert stated == ((expected, "FULL_OBJECT") if algorithm == "crc64nvme" else (None, None))


@ALGORITHMS
async def test_another_checksum_of_the_object(algorithm: Algorithm) -> None:
    here, made, parts, data = await with_checksums(algorithm)
    other = "AAAA" + expected_checksum(algorithm, parts, data)[4:]
    call = Answers((200, DONE_WITH.format(algorithm.upper(), other), {}))
    whole = Receipt(None, UNKNOWN_IDENTITY._replace(size=SIZE), None, True, NOW, tuple(parts))
    with pytest.raises(ProblemError, match="the store joined other parts than were sent") as raised:
        await here.confirm(made, whole, call, again=False)
    assert raised.value.problem.kind is ProblemKind.FAILED


@pytest.mark.parametrize(("encrypted", "fails"), [(False, True), (True, False)])
async def test_the_etag_of_parts_with_checksums(encrypted: bool, fails: bool) -> None:
    """A store that ignores checksums, such as Ceph, still proves the parts by their ETags."""
    here, made, parts, _ = await with_checksums("sha256")
    sent = [
        part._replace(etag=hashlib.md5(bytes([n]), usedforsecurity=False).hexdigest()) for n, part in enumerate(parts)
    ]
    headers = {"x-amz-server-side-encryption": "aws:kms"} if encrypted else {}
    call = Answers((200, DONE.format("0" * 32 + "-2"), headers))
    whole = Receipt(None, UNKNOWN_IDENTITY._replace(size=SIZE), None, True, NOW, tuple(sent))
    expected = pytest.raises(ProblemError, match="the ETag is") if fails else contextlib.nullcontext()
    with expected:
        await here.confirm(made, whole, call, again=False)


async def test_an_upload_without_checksums_is_not_continued_with_them() -> None:
    made = await in_parts()
    assert provider().reusable(made)
    assert not provider(checksum_algorithm="sha256").reusable(made)


async def test_uploads_that_were_begun_are_abandoned_if_one_of_the_group_fails() -> None:
    begun: tuple[int, str, dict[str, str]] = (200, "<R><UploadId>u</UploadId></R>", {})
    call = Answers(begun, (503, "<Error><Code>SlowDown</Code></Error>", {}), (204, "", {}))
    with pytest.raises(ProblemError, match="SlowDown"):
        await provider(multipart_from=5).presign([spec("a", 9), spec("b", 9)], call)
    assert [method for method, _ in call.made] == ["POST", "POST", "DELETE"]


async def test_what_is_left_of_a_file_that_is_given_up() -> None:
    call = Answers((204, "", {}))
    assert await provider().abandon(await in_parts(), FileState.FAILED, call)
    assert call.made == [("DELETE", "uploadId=u%2F1")]
    assert await provider().abandon(await ticket(), FileState.FAILED, Answers())


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", ProblemKind.UNAUTHORIZED),
        (400, "ExpiredToken", ProblemKind.UNAUTHORIZED),
        (404, "NoSuchBucket", ProblemKind.UNUSABLE),
        (403, "RequestTimeTooSkewed", ProblemKind.UNUSABLE),
        (301, "PermanentRedirect", ProblemKind.UNUSABLE),
        (400, "InvalidRequest", ProblemKind.FAILED),
        (503, "SlowDown", ProblemKind.THROTTLED),
        (500, "InternalError", ProblemKind.TRANSIENT),
    ],
)
async def test_refused_calls(status: int, code: str, kind: ProblemKind) -> None:
    refusal: tuple[int, str, dict[str, str]] = (status, f"<Error><Code>{code}</Code></Error>", {})
    call = Answers(refusal, refusal)  # one more for a call that is made again by the store's time
    with pytest.raises(ProblemError, match=code) as raised:
        await provider(multipart_from=5).presign([spec("a", 9)], call)
    assert raised.value.problem.kind is kind
