"""Reads tickets out of the answers of a described service.

A path that finds nothing, several values or a value of another type makes the whole answer malformed. The message has
the shape of the answer and none of its values.
"""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bulkup.config.described_service import DEFAULT_SUCCESS, AnswerTable, HttpDescription
from bulkup.config.json_path import JsonPath, JsonPathError
from bulkup.helpers.secrets import Secret, SecretUrl
from bulkup.helpers.short_text import shortened
from bulkup.model.files import extension_of
from bulkup.model.http import ApiAnswer, http_date
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import AlreadyThere, Rejection, Ticket
from bulkup.providers.answer_parsing import (
    MESSAGE_LIMIT,
    check_distinct_tickets,
    check_distinct_urls,
    json_document,
    lease_from,
    malformed,
    raise_for_status,
)
from bulkup.providers.base import S3_PUT_LIMIT, FileSpec, TicketAnswer
from bulkup.providers.http.answer_shape import shape_of
from bulkup.providers.http.compared_keys import comparison
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.rendering import Compiler
from bulkup.providers.url_reader import UploadUrl, UrlReader

_MISFITS = 3  # answers that do not fit, before any that does: each of them may have created ids
_MAX_ID = 1024  # characters
_MAX_KEPT = 1024
_MILLISECONDS = 1e11  # a larger number of seconds is later than the year 5000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_SET_BY_TRANSPORT = frozenset({"host", "content-length"})
_FRAMING = frozenset({"transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "keep-alive"})
_NO_SECRETS = re.compile(r"content-[a-z0-9-]+|cache-control|x-ms-(?:blob-type|version)|x-amz-acl", re.IGNORECASE)
_KINDS = {
    "rejected": ProblemKind.REJECTED,
    "retry": ProblemKind.TRANSIENT,
    "throttled": ProblemKind.THROTTLED,
    "unauthorized": ProblemKind.UNAUTHORIZED,
    "stop": ProblemKind.UNUSABLE,
}


class TicketReader:
    """Reads the answers of one description. `saved` returns values of a file that the closing call needs."""

    def __init__(
        self,
        description: HttpDescription,
        service: str,
        base_url: str,
        compiler: Compiler,
        saved: Callable[[FileValues], Mapping[str, Any]] | None,
    ) -> None:
        assert description.answer is not None
        self._paths = description.answer
        self._put = description.put
        self._service = service
        self._base_url = base_url
        self._single = description.batch_size == 1
        self._saved = saved
        self._put_headers = compiler.headers(description.put.headers)
        match, base = self._paths.match, self._paths.base
        self.key_of = compiler.text(match.file) if match is not None else None
        self._relative_root = compiler.url(base)(FileValues(None)) if base is not None else ""
        # Without the wrapper where an expression always applies: these are called for each file.
        self._find_id = self._finder("id", self._paths.id)
        self._find_url = self._finder("url", self._paths.url)
        self._find_expires = self._finder("expires", self._paths.expires)
        kept = ((name, self._finder(f"keep.{name}", path)) for name, path in self._paths.keep.items())
        self._kept = [(name, find) for name, find in kept if find is not None]
        self._success = success_of(description)
        self._proof = description.put.checksum or ""
        self._has_fitted = False
        self._misfits = 0

    def check_status(self, answer: ApiAnswer) -> None:
        """Raise `ProblemError` unless the call succeeded."""
        check_status(self._paths, answer, self._service)

    def read(self, answer: ApiAnswer, files: Sequence[FileValues]) -> list[TicketAnswer]:
        """Return the answer for each file, in their order. Raises `ProblemError`."""
        document = json_document(answer, self._service)
        try:
            read = self._read(document, answer, files)
        except ProblemError as error:
            said, kind, problem = self._said(document), _kind_of_code(self._paths, document), error.problem
        else:
            self._has_fitted = True
            return read
        if not said and kind is None:
            raise self._misfit(problem)
        # Some services report errors with the status 200.
        text = f"{self._service} answered {answer.status}" + (f": {shortened(said, MESSAGE_LIMIT)}" if said else "")
        raise ProblemError(Problem(kind or ProblemKind.REJECTED, text, maybe_created=True))

    def _misfit(self, problem: Problem) -> ProblemError:
        """Return the error for an answer that does not fit. It ends the run if some did not, and none ever did."""
        self._misfits += 1
        if self._has_fitted or self._misfits < _MISFITS:
            return ProblemError(problem)
        text = f"{problem.message}. Does the table http.answer fit? `bulkup provider try` shows each step"
        return ProblemError(Problem(ProblemKind.UNUSABLE, text, maybe_created=True))

    def _said(self, document: Any) -> str:
        try:
            return said_in(self._paths.error.find(document)) if self._paths.error is not None else ""
        except JsonPathError:
            return ""

    def _read(self, document: Any, answer: ApiAnswer, files: Sequence[FileValues]) -> list[TicketAnswer]:
        entries: list[Any]
        if self.key_of is not None and not self._single:
            entries = self._of_files(self._by_key(document, len(files)), files, self.key_of)
        else:
            entries = self._entries(document, len(files))
        if len(entries) != len(files):
            raise self._wrong("tickets", f"found {len(entries)} entries for {len(files)} files", document)
        urls = UrlReader(answer, self._base_url, self._service)
        read = [self._of_entry(entry, values, answer, urls) for entry, values in zip(entries, files, strict=True)]
        tickets = [one for one in read if isinstance(one, Ticket)]
        if len(tickets) > 1:
            check_distinct_tickets(tickets, self._service)
            self._check_order(read, files)
        return read

    def _entries(self, document: Any, count: int) -> list[Any]:
        found = self._find("tickets", self._paths.tickets, document)
        if isinstance(found, list) and not (self._single and self._paths.tickets.text == "@"):
            return found
        if self._single and not isinstance(found, list) and found is not None:
            return [found]
        what = "found nothing" if found is None else f"found {shape_of(found)}, not a list"
        raise self._wrong("tickets", f"{what}, for {count} files", document)

    def _by_key(self, document: Any, count: int) -> dict[str, Any]:
        """Return the entries by the value that names their file."""
        match = self._paths.match
        assert match is not None
        if match.answer is None:
            found = self._find("tickets", self._paths.tickets, document)
            if not isinstance(found, dict):
                raise self._wrong("tickets", _not_found(found, "a table"), document)
            return found
        by_key: dict[str, Any] = {}
        for entry in self._entries(document, count):
            key = self._find("match.answer", match.answer, entry)
            if not isinstance(key, str | int):
                raise self._wrong("match.answer", _not_found(key, "a text"), entry)
            if str(key) in by_key:
                raise self._wrong("match.answer", "found the same value in two entries", entry)
            by_key[str(key)] = entry
        return by_key

    def _of_files(
        self, by_key: Mapping[str, Any], files: Sequence[FileValues], key_of: Callable[[FileValues], str]
    ) -> list[Any]:
        keys = [key_of(values) for values in files]
        missing = [key for key in keys if key not in by_key]
        if missing:
            asked, known = set(keys), [text for values in files for text in (_spec(values).path, key_of(values))]
            compared = comparison(missing[0], (key for key in by_key if key not in asked), known)
            what = f"names {len(files) - len(missing)} of {len(files)} files in {len(by_key)} entries: {compared}"
            raise self._wrong("match", what, list(by_key.values()))
        return [by_key[key] for key in keys]

    def _of_entry(self, entry: Any, values: FileValues, answer: ApiAnswer, urls: UrlReader) -> TicketAnswer:
        paths = self._paths
        if paths.rejected is not None and (reason := self._find("rejected", paths.rejected, entry)):
            said = shortened(said_in(reason), MESSAGE_LIMIT)
            return Rejection(f"{self._service} refuses it" + (f": {said}" if said else ""))
        if paths.already is not None and self._find("already", paths.already, entry):
            return self._already(entry, values)
        return self._ticket(entry, values, answer, urls)

    def _already(self, entry: Any, values: FileValues) -> TicketAnswer:
        assert values.spec is not None
        found = self._find_id(entry) if self._find_id is not None else None
        remote_id = values.spec.path if found is None else self._id(found, entry)
        return AlreadyThere(remote_id, self._remote(remote_id, entry, values))

    def _ticket(self, entry: Any, values: FileValues, answer: ApiAnswer, reader: UrlReader) -> Ticket:
        paths = self._paths
        (url, lease, content_md5), more = self._urls(entry, values, reader)
        remote_id = self._id(self._find_id(entry), entry) if self._find_id is not None else path_of(url)
        form = self._form(entry) if paths.fields is not None else None
        values.more = remote = self._remote(remote_id, entry, values)
        headers: dict[str, str | Secret] = self._put_headers(values) if self._put.headers else {}
        if paths.headers is not None:
            headers = _with_headers(headers, self._headers(entry))
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
        paths = self._paths
        if paths.parts is not None and (found := self._find("parts", paths.parts, entry)) is not None:
            if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
                raise self._wrong("parts", _not_found(found, "a list of URLs"), entry)
            assert values.spec is not None
            if -(-values.spec.size // len(found)) > S3_PUT_LIMIT:
                raise self._wrong("parts", f"found {len(found)} URLs, too few for {values.spec.size} bytes", entry)
            first, *more = [self._url("parts", text, entry, reader) for text in found]
            check_distinct_urls([first.url, *(one.url for one in more)], self._service)
            lease = min((one.lease for one in (first, *more) if one.lease is not None), default=None)
            return first._replace(lease=lease), tuple(one.url for one in more)
        if self._find_url is None:
            raise self._wrong("parts", "found nothing", entry)
        return self._url("url", self._find_url(entry), entry, reader), ()

    def _url(self, key: str, found: Any, entry: Any, reader: UrlReader) -> UploadUrl:
        if not isinstance(found, str) or not found:
            raise self._wrong(key, _not_found(found, "a text"), entry)
        root = self._relative_root
        return reader.read(root + found if root and found.startswith("/") else found)

    def _id(self, found: Any, entry: Any) -> str:
        if isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        if not isinstance(found, str) or not found:
            raise self._wrong("id", _not_found(found, "a text"), entry)
        if len(found) > _MAX_ID or _CONTROL.search(found) is not None or found in (".", ".."):
            raise self._wrong("id", "found a text that is no id", entry)
        return found

    def _lease(self, entry: Any, of_url: float | None, answer: ApiAnswer, reader: UrlReader) -> float | None:
        """Return the earliest end that the answer and the URLs state."""
        paths, lease = self._paths, of_url
        if self._find_expires is not None:
            found = self._find_expires(entry)
            end = reader.lease_until(found) if isinstance(found, str) else None  # most are RFC 3339
            if end is None:
                end = lease_from(self._time(found, entry), answer)
            lease = end if lease is None or end < lease else lease
        if paths.expires_in is not None:
            seconds = _number(self._find("expires_in", paths.expires_in, entry))
            if seconds is None:
                raise self._wrong("expires_in", "found no number of seconds", entry)
            end = answer.sent_at + seconds
            lease = end if lease is None or end < lease else lease
        return lease

    def _time(self, found: Any, entry: Any) -> float:
        time = _number(found)
        if time is not None and time > _MILLISECONDS:
            time /= 1000
        if time is None and isinstance(found, str):
            time = http_date(found, None)
        if time is None:
            raise self._wrong("expires", "found no RFC 3339 time, no HTTP date and no Unix seconds", entry)
        return time

    def _headers(self, entry: Any) -> dict[str, str | Secret]:
        assert self._paths.headers is not None
        headers: dict[str, str | Secret] = {}
        for name, value in self._pairs("headers", self._paths.headers, entry):
            lower = name.lower()
            if lower in _SET_BY_TRANSPORT:
                continue
            if lower in _FRAMING or not _HEADER.fullmatch(name) or _CONTROL.search(value) or _has(headers, lower):
                raise self._wrong("headers", "found a header that must not be sent", entry)
            headers[name] = value if _NO_SECRETS.fullmatch(name) else Secret(value)
        return headers

    def _form(self, entry: Any) -> tuple[tuple[str, Secret], ...]:
        assert self._paths.fields is not None
        pairs = self._pairs("fields", self._paths.fields, entry)
        if any(not name or _CONTROL.search(name) or '"' in name for name, _ in pairs):
            raise self._wrong("fields", "found a field that must not be sent", entry)
        return tuple((name, Secret(value)) for name, value in pairs)

    def _pairs(self, key: str, path: JsonPath, entry: Any) -> list[tuple[str, str]]:
        """Return names with their values, from a table or from a list of pairs."""
        found = self._find(key, path, entry)
        if isinstance(found, list):
            pairs = [_pair(part) for part in found]
        else:
            pairs = list(found.items()) if isinstance(found, dict) else [None]
        texts = [(pair[0], _text(pair[1])) for pair in pairs if pair is not None]
        if len(texts) < len(pairs) or any(value is None for _, value in texts):
            raise self._wrong(key, _not_found(found, "a table of texts, or a list of pairs"), entry)
        return [(name, value) for name, value in texts if value is not None]

    def _remote(self, remote_id: str, entry: Any, values: FileValues) -> dict[str, Any]:
        """Return the values for the manifest and the closing call."""
        remote: dict[str, Any] = {"id": remote_id}
        for name, find in self._kept:
            found = find(entry)
            if isinstance(found, str):
                if len(found) > _MAX_KEPT:
                    raise self._wrong(f"keep.{name}", "found a text that is too long", entry)
                remote[name] = found.partition("?")[0] if "://" in found else found  # a query may hold a signature
            elif isinstance(found, int | float):
                remote[name] = found
            else:
                raise self._wrong(f"keep.{name}", _not_found(found, "a short text or a number"), entry)
        if self._saved is not None:
            remote.update(self._saved(values))
        return remote

    def _check_order(self, read: Sequence[TicketAnswer], files: Sequence[FileValues]) -> None:
        """Raise `ProblemError` if the extensions in ids are those of the files in another order."""
        if self.key_of is not None or len({_spec(values).extension for values in files}) == 1:
            return
        pairs = [
            (extension_of(one.remote_id[one.remote_id.rfind("/") + 1 :]), _spec(values).extension)
            for one, values in zip(read, files, strict=True)
            if isinstance(one, Ticket)
        ]
        if any(answered != asked for answered, asked in pairs):
            answered_all, asked_all = (sorted(column) for column in zip(*pairs, strict=True))
            if answered_all == asked_all:
                raise malformed(self._service, "its entries in another order than requested")

    def _finder(self, key: str, path: JsonPath | None) -> Callable[[Any], Any] | None:
        """Return the function for the value at a path, None for no path."""
        if path is None or path.always_applies:
            return path.find if path is not None else None
        return functools.partial(self._find, key, path)

    def _find(self, key: str, path: JsonPath, value: Any) -> Any:
        try:
            return path.find(value)
        except JsonPathError as error:
            failure = str(error)
        raise self._wrong(key, failure, value)

    def _wrong(self, key: str, what: str, value: Any) -> ProblemError:
        return malformed(self._service, f"{shape_of(value)}, in which http.answer.{key} {what}")


def check_status(paths: AnswerTable | None, answer: ApiAnswer, service: str) -> None:
    """Raise `ProblemError` unless a call succeeded. `paths` lead to its message, code and meaning."""
    if 200 <= answer.status < 300:
        return
    kind, said = None, ""
    if paths is not None:
        meaning = paths.statuses.get(answer.status)
        kind = _KINDS[meaning] if meaning is not None else None
        with contextlib.suppress(ValueError):  # no JSON, or the expression cannot be applied to it
            document = answer.json()
            kind = _kind_of_code(paths, document) or kind
            said = said_in(paths.error.find(document)) if paths.error is not None else ""
    raise_for_status(answer, service, said, kind=kind)


def _kind_of_code(paths: AnswerTable, document: Any) -> ProblemKind | None:
    """Return the meaning of the code in an error, None for one without a meaning."""
    if paths.code is None:
        return None
    try:
        code = paths.code.find(document)
    except JsonPathError:
        return None
    meaning = paths.codes.get(str(code)) if isinstance(code, str | int) else None
    return _KINDS[meaning] if meaning is not None else None


def success_of(description: HttpDescription) -> tuple[int, ...]:
    """Return the statuses that mean success if they are others than usual."""
    success = description.put.success
    return () if success == DEFAULT_SUCCESS else success


def path_of(url: SecretUrl) -> str:
    """Return the path of a URL without its query, which may hold a signature."""
    text = url.reveal().partition("#")[0].partition("?")[0]
    return text[text.find("/", text.find("://") + 3) :] or "/"


def _spec(values: FileValues) -> FileSpec:
    assert values.spec is not None
    return values.spec


def _not_found(found: Any, expected: str) -> str:
    if found is None or found == "":
        return "found nothing"
    if isinstance(found, list):
        return f"found {len(found)} values, not {expected}"
    return f"found {shape_of(found)}, not {expected}"


def _number(found: Any) -> float | None:
    """Return a finite number, also of a text that holds one."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = float(found)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _pair(part: Any) -> tuple[str, Any] | None:
    """Return name and value of one member of a list: a list of both, an object, or a text such as `Name: value`."""
    if isinstance(part, str):
        before, colon, after = part.partition(":")
        return (before.strip(), after.strip()) if colon else None
    if isinstance(part, list) and len(part) == 2 and isinstance(part[0], str):
        return part[0], part[1]
    if isinstance(part, dict):
        name = next((part[key] for key in ("name", "key", "Name", "Key") if key in part), None)
        value = next((part[key] for key in ("value", "Value") if key in part), None)
        return (name, value) if isinstance(name, str) else None
    return None


def _text(value: Any) -> str | None:
    """Return the text of a value of a header or field. A list of one is taken for its only member, as in Go."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def said_in(found: Any) -> str:
    """Return the text of a reason or message that an expression found; empty if it is none."""
    if isinstance(found, dict):
        found = next((found[key] for key in ("message", "detail", "error", "code") if found.get(key)), None)
    if isinstance(found, list) and found:
        return said_in(found[0]) if not isinstance(found[0], list) else ""
    return found if isinstance(found, str) else str(found) if type(found) is int else ""


def _has(headers: Mapping[str, Any], lower: str) -> bool:
    return any(name.lower() == lower for name in headers)


def _with_headers(fixed: dict[str, str | Secret], answered: dict[str, str | Secret]) -> dict[str, str | Secret]:
    """Return fixed headers with those of an answer, which replace them whatever their case."""
    names = {name.lower() for name in answered}
    return {name: value for name, value in fixed.items() if name.lower() not in names} | answered
