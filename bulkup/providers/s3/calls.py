"""The API calls about a bucket: multipart uploads, and lists. They are signed in their headers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote_plus
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bulkup.helpers.secrets import SecretUrl
from bulkup.model.files import DIGEST_BYTES, Algorithm, Digest
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.stored_objects import StoredObject
from bulkup.model.tickets import SentPart
from bulkup.providers.s3.answers import CLOCK_WRONG, SESSION_OVER, code_of, problem_of_call
from bulkup.providers.s3.credentials import KeySource
from bulkup.providers.s3.endpoint import BucketAddress
from bulkup.providers.s3.object_checksum import NAMES
from bulkup.providers.s3.signing import AccessKeys, call_headers

_NO_HEADERS: Mapping[str, str] = {}
_FOUND, _MISSING = 200, 404
_REFUSED = (400, 403)
_PLAIN_MD5 = re.compile(r"[0-9a-f]{32}")
_ENCRYPTION = "x-amz-server-side-encryption"
_LISTED = 1000  # entries of one answer, the most that stores return
_URLS_OF_A_LIST = 1000  # an answer of that many entries is no larger than one with that many URLs


class BucketEntry(NamedTuple):
    """An object in a bucket. `etag` is without quotes."""

    key: str
    size: int
    etag: str


class Unfinished(NamedTuple):
    """An upload in parts that was neither completed nor abandoned. `begun` is a time as the store writes it."""

    key: str
    upload_id: str
    begun: str


class Completed(NamedTuple):
    """The answer to a completion: the ETag of the object, its checksum, both empty if there is none.

    `encrypted` says that a key of KMS encrypts the object, so ETags are no MD5s.
    """

    etag: str
    checksum: str
    encrypted: bool


class BucketCalls:
    """Makes calls about one bucket. Methods raise `ProblemError`.

    A call is signed with the time that `now` returns. It is made again once where its session was over and there are
    newer keys, and where the store named another time.
    """

    def __init__(self, address: BucketAddress, source: KeySource, now: Callable[[], float]) -> None:
        self._address = address
        self._source = source
        self._now = now

    async def begin(self, key: str, headers: Mapping[str, str], call: ApiCall) -> str:
        """Begin an upload in parts, of an object with these headers, and return its id."""
        answer = await self._make("POST", self._address.path_of(key), "uploads=", call, headers=headers)
        upload_id = _text(_document(answer), "UploadId")
        if not upload_id:
            raise _unreadable("an upload without an id")
        return upload_id

    async def complete(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[SentPart],
        headers: Mapping[str, str],
        call: ApiCall,
        algorithm: Algorithm | None = None,
    ) -> Completed:
        """Complete an upload from its parts, which were sent with their checksums if there is an `algorithm`."""
        listed = "".join(_listed(part, algorithm) for part in parts)
        body = f'<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{listed}</CompleteMultipartUpload>'
        answer = await self._make(
            "POST", self._address.path_of(key), _upload(upload_id), call, body=body.encode(), headers=headers
        )
        root = _document(answer)
        checksum = "" if algorithm is None else _text(root, f"Checksum{NAMES[algorithm]}")
        return Completed(_text(root, "ETag").strip('"'), checksum, _is_encrypted(answer))

    async def etag_of(self, key: str, call: ApiCall) -> tuple[str, bool] | None:
        """Return the ETag of an object, and whether it is made of MD5s. None if there is no such object."""
        answer = await self._send("HEAD", self._address.path_of(key), "", call)
        if answer.status != _FOUND:
            return None
        return answer.headers.get("etag", "").strip('"'), not _is_encrypted(answer)

    async def head(self, key: str, checksum: Algorithm | None, call: ApiCall) -> StoredObject | None:
        """Return what the store says about an object, None if it has none of this key.

        With `checksum`, the store is asked for that checksum. Without, an ETag that is an MD5 is the digest.
        """
        headers = {"x-amz-checksum-mode": "ENABLED"} if checksum is not None else _NO_HEADERS
        answer = await self._send("HEAD", self._address.path_of(key), "", call, headers=headers)
        if answer.status == _MISSING:
            return None
        problem = problem_of_call(answer)
        if problem is not None:
            raise ProblemError(problem)
        size, etag = answer.headers.get("content-length", ""), answer.headers.get("etag", "").strip('"')
        opaque = _is_encrypted(answer)
        digest = Digest(bytes.fromhex(etag)) if _PLAIN_MD5.fullmatch(etag) and not opaque else None
        if checksum is not None:
            digest = _digest_of(answer.headers.get(f"x-amz-checksum-{checksum}", ""), checksum)
        return StoredObject(int(size) if size.isdecimal() else None, digest, etag or None)

    async def abort(self, key: str, upload_id: str, call: ApiCall) -> None:
        """Delete the parts of an upload. One that does not exist any more is no problem."""
        answer = await self._send("DELETE", self._address.path_of(key), _upload(upload_id), call)
        problem = None if answer.status == _MISSING else problem_of_call(answer)
        if problem is not None:
            raise ProblemError(problem)

    async def check_signature(self, prefix: str, call: ApiCall) -> None:
        """Find out whether the store takes the keys, and the time that a signature states.

        The right to list is not needed. Afterwards the keys are those of the newest session, and the service's clock
        is known.
        """
        query = _query({"list-type": "2", "max-keys": "1", "prefix": prefix})
        answer = await self._send("GET", self._address.path.rstrip("/") or "/", query, call)
        if code_of(answer) in (*SESSION_OVER, CLOCK_WRONG) and (problem := problem_of_call(answer)) is not None:
            raise ProblemError(problem)

    async def objects(self, prefix: str, after: str, call: ApiCall) -> tuple[list[BucketEntry], bool]:
        """Return the objects whose keys follow `after`, at most a thousand, and whether there are more."""
        given = {"encoding-type": "url", "list-type": "2", "max-keys": str(_LISTED), "prefix": prefix}
        query = _query({**given, "start-after": after} if after else given)
        answer = await self._make("GET", self._address.path.rstrip("/") or "/", query, call, urls=_URLS_OF_A_LIST)
        root = _document(answer)
        decoded = unquote_plus if _text(root, "EncodingType") == "url" else str
        found = [
            BucketEntry(decoded(_text(entry, "Key")), int(_text(entry, "Size") or -1), _text(entry, "ETag").strip('"'))
            for entry in _children(root, "Contents")
        ]
        return found, _text(root, "IsTruncated") == "true"

    async def unfinished(self, prefix: str, call: ApiCall) -> list[Unfinished]:
        """Return the unfinished uploads whose keys begin with a prefix."""
        found, markers = list[Unfinished](), dict[str, str]()
        while True:
            query = _query({"max-uploads": str(_LISTED), "prefix": prefix, "uploads": "", **markers})
            answer = await self._make("GET", self._address.path.rstrip("/") or "/", query, call, urls=_URLS_OF_A_LIST)
            root = _document(answer)
            found += [
                Unfinished(_text(entry, "Key"), _text(entry, "UploadId"), _text(entry, "Initiated"))
                for entry in _children(root, "Upload")
            ]
            after = {"key-marker": _text(root, "NextKeyMarker"), "upload-id-marker": _text(root, "NextUploadIdMarker")}
            if _text(root, "IsTruncated") != "true" or after == markers or not after["key-marker"]:
                return found
            markers = after

    async def _make(
        self,
        method: str,
        path: str,
        query: str,
        call: ApiCall,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = _NO_HEADERS,
        urls: int = 1,
    ) -> ApiAnswer:
        answer = await self._send(method, path, query, call, body=body, headers=headers, urls=urls)
        problem = problem_of_call(answer)
        if problem is not None:
            raise ProblemError(problem)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: str,
        call: ApiCall,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = _NO_HEADERS,
        urls: int = 1,
    ) -> ApiAnswer:
        target = self._address.target

        def request(keys: AccessKeys) -> ApiRequest:
            return ApiRequest(
                method,
                f"{path}?{query}" if query else path,
                body=body or None,
                base_url=target.origin,
                signed=lambda _: call_headers(keys, target, method, path, query, body, self._now(), headers),
                urls=urls,
            )

        keys = await self._source.keys()
        answer = await call(request(keys))
        if answer.status not in _REFUSED:
            return answer
        code, newer = code_of(answer), keys
        if code in SESSION_OVER:
            newer = await self._source.after(keys)
        # The date of the answer has set the service's clock.
        return await call(request(newer)) if newer is not keys or code == CLOCK_WRONG else answer


def _digest_of(text: str, algorithm: Algorithm) -> Digest | None:
    """Return the digest of a checksum in base64, None for another text, such as the checksum of parts."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return Digest(value, algorithm) if len(value) == DIGEST_BYTES[algorithm] else None


def composite_etag(parts: Iterable[SentPart]) -> str | None:
    """Return the ETag of an object of these parts, None if the MD5 of one is unknown.

    A proven ETag with the form of an MD5 is one, unless the object is encrypted with KMS.
    """
    md5, count = hashlib.md5(usedforsecurity=False), 0
    for part in parts:
        if part.digest is not None and part.digest.algorithm == "md5":
            md5.update(part.digest.value)
        elif part.verified and _PLAIN_MD5.fullmatch(part.etag or ""):
            md5.update(bytes.fromhex(part.etag or ""))
        else:
            return None
        count += 1
    return f"{md5.hexdigest()}-{count}"


def _listed(part: SentPart, algorithm: Algorithm | None) -> str:
    """Return a part as an element of the request that completes its upload."""
    checksum = ""
    if algorithm is not None and part.digest is not None and part.digest.algorithm == algorithm:
        name = f"Checksum{NAMES[algorithm]}"
        checksum = f"<{name}>{part.digest.base64}</{name}>"
    etag = escape(f'"{part.etag}"')
    return f"<Part><PartNumber>{part.number}</PartNumber><ETag>{etag}</ETag>{checksum}</Part>"


def _is_encrypted(answer: ApiAnswer) -> bool:
    return answer.headers.get(_ENCRYPTION, "").startswith("aws:kms")


def _upload(upload_id: str) -> str:
    return f"uploadId={_encoded(upload_id)}"


def part_query(number: int, upload_id: str) -> str:
    """Return the query of the URL for a part."""
    return f"partNumber={number}&{_upload(upload_id)}"


def _query(parameters: Mapping[str, str]) -> str:
    return "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, value in parameters.items()))


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _document(answer: ApiAnswer) -> Element:
    try:
        root: Element = fromstring(answer.body.strip(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError):
        root = None  # type: ignore[assignment]  # raised below, so that the body is not the context of the error
    if root is None:
        raise _unreadable("no XML; is base_url the endpoint of a store?")
    return root


def _children(root: Element, name: str) -> Iterable[Element]:
    return (child for child in root if child.tag.rpartition("}")[2] == name)


def _text(root: Element, name: str) -> str:
    return next((child.text or "" for child in _children(root, name)), "")


def _unreadable(what: str) -> ProblemError:
    return ProblemError(Problem(ProblemKind.UNUSABLE, f"the store answered with {what}"))


def object_url(address: BucketAddress, key: str) -> SecretUrl:
    """Return the URL of an object, without a signature."""
    return SecretUrl(address.target.origin + address.path_of(key))
