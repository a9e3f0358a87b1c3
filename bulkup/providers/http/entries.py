"""Reads the entry of one file in an answer of a described service: a ticket, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from bulkup.config.described_service import DEFAULT_SUCCESS, HttpDescription
from bulkup.config.json_path import JsonPath
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiAnswer, http_date
from bulkup.model.tickets import AlreadyThere, Rejection, Ticket
from bulkup.providers.answer_parsing import MESSAGE_LIMIT, check_distinct_urls, lease_from
from bulkup.providers.base import S3_PUT_LIMIT, TicketAnswer
from bulkup.providers.http.answer_paths import AnswerPaths
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.json_values import not_found, number_in, pairs_in, said_in
from bulkup.providers.http.rendering import Compiler
from bulkup.providers.url_reader import UploadUrl, UrlReader

_MAX_ID = 1024  # characters
_MAX_KEPT = 1024
_MILLISECONDS = 1e11  # a larger number of seconds is later than the year 5000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_SET_BY_TRANSPORT = frozenset({"host", "content-length"})
_FRAMING = frozenset({"transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "keep-alive"})
_NO_SECRETS = re.compile(r"content-[a-z0-9-]+|cache-control|x-ms-(?:blob-type|version)|x-amz-acl", re.IGNORECASE)


class EntryReader:
    """Reads the entries of one description. `saved` returns values of a file that the closing call needs."""

    def __init__(
        self,
        description: HttpDescription,
        service: str,
        paths: AnswerPaths,
        compiler: Compiler,
        saved: Callable[[FileValues], Mapping[str, Any]] | None,
    ) -> None:
        assert description.answer is not None
        self._table = description.answer
        self._put = description.put
        self._service = service
        self._paths = paths
        self._saved = saved
        self._put_headers = compiler.headers(description.put.headers)
        base = self._table.base
        self._relative_root = compiler.url(base)(FileValues(None)) if base is not None else ""
        # Without the wrapper where an expression always applies: these are called for each file.
        self._find_id = paths.finder("id", self._table.id)
        self._find_url = paths.finder("url", self._table.url)
        self._find_expires = paths.finder("expires", self._table.expires)
        kept = ((name, paths.finder(f"keep.{name}", path)) for name, path in self._table.keep.items())
        self._kept = [(name, find) for name, find in kept if find is not None]
        self._success = success_of(description)
        self._proof = description.put.checksum or ""

    def read(self, entry: Any, values: FileValues, answer: ApiAnswer, urls: UrlReader) -> TicketAnswer:
        """Return the answer for a file. Raises `ProblemError`."""
        table = self._table
        if table.rejected is not None and (reason := self._paths.find("rejected", table.rejected, entry)):
            said = shortened(said_in(reason), MESSAGE_LIMIT)
            return Rejection(f"{self._service} refuses it" + (f": {said}" if said else ""))
        if table.already is not None and self._paths.find("already", table.already, entry):
            return self._already(entry, values)
        return self._ticket(entry, values, answer, urls)

    def _already(self, entry: Any, values: FileValues) -> TicketAnswer:
        assert values.spec is not None
        found = self._find_id(entry) if self._find_id is not None else None
        remote_id = values.spec.path if found is None else self._id(found, entry)
        return AlreadyThere(remote_id, self._remote(remote_id, entry, values))

    def _ticket(self, entry: Any, values: FileValues, answer: ApiAnswer, reader: UrlReader) -> Ticket:
        table = self._table
        (url, lease, content_md5), more = self._urls(entry, values, reader)
        remote_id = self._id(self._find_id(entry), entry) if self._find_id is not None else path_of(url)
        form = self._form(table.fields, entry) if table.fields is not None else None
        values.more = remote = self._remote(remote_id, entry, values)
        headers: dict[str, str | Secret] = self._put_headers(values) if self._put.headers else {}
        if table.headers is not None:
            headers = _with_headers(headers, self._headers(table.headers, entry))
        return Ticket(
            url=url,
            remote_id=remote_id,
            expires_at=self._lease(entry, lease, answer, reader),
            method=self._put.method or ("PUT" if form is None else "POST"),
            headers=headers,
            remote=remote,
            content_md5=content_md5 and form is None and not (headers and _has(headers, "content-md5")),
            form=form,
            more_urls=more,
            success=self._success,
            proof=self._proof,
        )

    def _urls(self, entry: Any, values: FileValues, reader: UrlReader) -> tuple[UploadUrl, tuple[SecretUrl, ...]]:
        """Return the URL of the file, or those of its parts with their earliest end."""
        table, wrong = self._table, self._paths.wrong
        if table.parts is not None and (found := self._paths.find("parts", table.parts, entry)) is not None:
            if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
                raise wrong("parts", not_found(found, "a list of URLs"), entry)
            assert values.spec is not None
            if -(-values.spec.size // len(found)) > S3_PUT_LIMIT:
                raise wrong("parts", f"found {len(found)} URLs, too few for {values.spec.size} bytes", entry)
            first, *more = [self._url("parts", text, entry, reader) for text in found]
            check_distinct_urls([first.url, *(one.url for one in more)], self._service)
            lease = min((one.lease for one in (first, *more) if one.lease is not None), default=None)
            return first._replace(lease=lease), tuple(one.url for one in more)
        if self._find_url is None:
            raise wrong("parts", "found nothing", entry)
        return self._url("url", self._find_url(entry), entry, reader), ()

    def _url(self, key: str, found: Any, entry: Any, reader: UrlReader) -> UploadUrl:
        if not isinstance(found, str) or not found:
            raise self._paths.wrong(key, not_found(found, "a text"), entry)
        root = self._relative_root
        return reader.read(root + found if root and found.startswith("/") else found)

    def _id(self, found: Any, entry: Any) -> str:
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not found:
            raise self._paths.wrong("id", not_found(found, "a text"), entry)
        if len(found) > _MAX_ID or _CONTROL.search(found) is not None or found in (".", ".."):
            raise self._paths.wrong("id", "found a text that is no id", entry)
        return found

    def _lease(self, entry: Any, of_url: float | None, answer: ApiAnswer, reader: UrlReader) -> float | None:
        """Return the earliest end that the answer and the URLs state."""
        lease = of_url
        if self._find_expires is not None:
            found = self._find_expires(entry)
            end = reader.lease_until(found) if isinstance(found, str) else None  # most are RFC 3339
            if end is None:
                end = lease_from(self._time(found, entry), answer)
            lease = end if lease is None or end < lease else lease
        if self._table.expires_in is not None:
            seconds = number_in(self._paths.find("expires_in", self._table.expires_in, entry))
            if seconds is None:
                raise self._paths.wrong("expires_in", "found no number of seconds", entry)
            end = answer.sent_at + seconds
            lease = end if lease is None or end < lease else lease
        return lease

    def _time(self, found: Any, entry: Any) -> float:
        time = number_in(found)
        if time is not None and time > _MILLISECONDS:
            time /= 1000
        if time is None and isinstance(found, str):
            time = http_date(found, None)
        if time is None:
            what = "found no RFC 3339 time, no HTTP date and no Unix seconds"
            raise self._paths.wrong("expires", what, entry)
        return time

    def _headers(self, path: JsonPath, entry: Any) -> dict[str, str | Secret]:
        headers: dict[str, str | Secret] = {}
        for name, value in self._pairs("headers", path, entry):
            lower = name.lower()
            if lower in _SET_BY_TRANSPORT:
                continue
            if lower in _FRAMING or not _HEADER.fullmatch(name) or _CONTROL.search(value) or _has(headers, lower):
                raise self._paths.wrong("headers", "found a header that must not be sent", entry)
            headers[name] = value if _NO_SECRETS.fullmatch(name) else Secret(value)
        return headers

    def _form(self, path: JsonPath, entry: Any) -> tuple[tuple[str, Secret], ...]:
        pairs = self._pairs("fields", path, entry)
        if any(not name or _CONTROL.search(name) or '"' in name for name, _ in pairs):
            raise self._paths.wrong("fields", "found a field that must not be sent", entry)
        return tuple((name, Secret(value)) for name, value in pairs)

    def _pairs(self, key: str, path: JsonPath, entry: Any) -> list[tuple[str, str]]:
        found = self._paths.find(key, path, entry)
        pairs = pairs_in(found)
        if pairs is None:
            raise self._paths.wrong(key, not_found(found, "a table of texts, or a list of pairs"), entry)
        return pairs

    def _remote(self, remote_id: str, entry: Any, values: FileValues) -> dict[str, Any]:
        """Return the values for the manifest and the closing call."""
        remote: dict[str, Any] = {"id": remote_id}
        for name, find in self._kept:
            found = find(entry)
            if isinstance(found, str):
                if len(found) > _MAX_KEPT:
                    raise self._paths.wrong(f"keep.{name}", "found a text that is too long", entry)
                remote[name] = found.partition("?")[0] if "://" in found else found  # a query may hold a signature
            elif isinstance(found, int | float):
                remote[name] = found
            else:
                raise self._paths.wrong(f"keep.{name}", not_found(found, "a short text or a number"), entry)
        if self._saved is not None:
            remote.update(self._saved(values))
        return remote


def success_of(description: HttpDescription) -> tuple[int, ...]:
    """Return the statuses that mean success if they are others than usual."""
    success = description.put.success
    return () if success == DEFAULT_SUCCESS else success


def path_of(url: SecretUrl) -> str:
    """Return the path of a URL without its query, which may hold a signature."""
    text = url.reveal().partition("#")[0].partition("?")[0]
    return text[text.find("/", text.find("://") + 3) :] or "/"


def _has(headers: Mapping[str, Any], lower: str) -> bool:
    return any(name.lower() == lower for name in headers)


def _with_headers(fixed: dict[str, str | Secret], answered: dict[str, str | Secret]) -> dict[str, str | Secret]:
    """Return fixed headers with those of an answer, which replace them whatever their case."""
    names = {name.lower() for name in answered}
    return {name: value for name, value in fixed.items() if name.lower() not in names} | answered
