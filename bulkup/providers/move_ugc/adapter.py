"""Move UGC: the GraphQL mutation `createFile`, with one alias per file, and `getFile` (docs/contracts.md section 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiAnswer, ApiCall, ApiRequest, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.stored_objects import StoredObject, Upload
from bulkup.model.tickets import Download, Rejection, Ticket
from bulkup.providers.answer_parsing import (
    MESSAGE_LIMIT,
    check_distinct_tickets,
    json_object,
    lease_of_url,
    malformed,
    raise_for_status,
    text_field,
    upload_url,
)
from bulkup.providers.base import Capabilities, FileSpec, Provider, valid_text

_SERVICE = "Move"

# `errorType` is next to `message`, not inside `extensions`. These are words of AppSync and of the service; the first
# one that is a substring decides. Any other error may be temporary.
_ERROR_TYPES = (
    ("unauthorized", ProblemKind.UNAUTHORIZED),
    ("accessdenied", ProblemKind.UNAUTHORIZED),
    ("throttl", ProblemKind.THROTTLED),
    ("toomanyrequests", ProblemKind.THROTTLED),
    ("limitexceeded", ProblemKind.THROTTLED),
    ("validation", ProblemKind.REJECTED),
    ("badrequest", ProblemKind.REJECTED),
    ("invalid", ProblemKind.REJECTED),
)
_NOT_FOUND = "notfound"


class MoveUgc(Provider):
    """The files of Move's UGC API. The remote id is the file's `id`.

    Its upload URLs have a version 2 signature over an empty Content-Type and Content-MD5, so storage answers a PUT with
    either header with a 403. Its tickets have neither.
    """

    name = "move-ugc"
    capabilities = Capabilities(batch_limit=100, batch_size=50, downloads=True, tells_stored=True)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse a file without an extension, because the required field `type` is made of it."""
        if not spec.extension:
            return Rejection("move-ugc does not accept a file without an extension", unsupported=True)
        return super().reject(spec)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Create the files in one mutation, with an alias for each. After any error, none counts as created."""
        answer = await call(self._request(create_files(specs), urls=len(specs)))
        data = _data(answer)
        if set(data) != {f"f{n}" for n in range(len(specs))}:
            raise malformed(_SERVICE, f"{len(data)} files for the {len(specs)} requested")
        tickets = [self._ticket(data[f"f{n}"], answer) for n in range(len(specs))]
        check_distinct_tickets(tickets, _SERVICE)
        return tickets

    async def download(self, remote_id: str, call: ApiCall) -> Download | None:
        """Query the file. The `presignedUrl` of a query is the URL to download it from."""
        try:
            answer = await call(self._request(get_file(remote_id)))
            return None if _not_found(answer) else self._download(_data(answer).get("getFile"), remote_id, answer)
        except ProblemError as error:
            failure = error
        # A query never creates a file, however it ends.
        raise ProblemError(dataclasses.replace(failure.problem, maybe_created=False)) from failure.__cause__

    async def stored(self, uploads: Sequence[Upload], call: ApiCall) -> Sequence[StoredObject | None]:
        """Query the files. Move tells whether it has a file, and neither its size nor a checksum."""
        found = [await self.download(upload.remote_id, call) for upload in uploads]
        return [None if one is None else StoredObject() for one in found]

    def _download(self, item: Any, remote_id: str, answer: ApiAnswer) -> Download:
        if text_field(item, "id", _SERVICE) != remote_id:
            raise malformed(_SERVICE, "another file than the one requested")
        text = text_field(item, "presignedUrl", _SERVICE)
        url = upload_url(text, self.config.base_url, _SERVICE, "a download URL")
        return Download(url, lease_of_url(url, answer))

    def _request(self, body: dict[str, Any], *, urls: int = 1) -> ApiRequest:
        headers = {"Authorization": self.config.credentials["api_key"]}
        return json_request("POST", "/ugc/graphql", headers, body, urls=urls)

    def _ticket(self, item: Any, answer: ApiAnswer) -> Ticket:
        remote_id = text_field(item, "id", _SERVICE)
        url = upload_url(text_field(item, "presignedUrl", _SERVICE), self.config.base_url, _SERVICE)
        return Ticket(url, remote_id, lease_of_url(url, answer), remote={"id": remote_id})


def create_files(specs: Sequence[FileSpec]) -> dict[str, Any]:
    """Return the GraphQL request for these files. Types and names are variables, never part of the query."""
    indexes = range(len(specs))
    declared = ", ".join(f"$t{n}: String!, $n{n}: String" for n in indexes)
    fields = " ".join(f"f{n}: createFile(type: $t{n}, name: $n{n}) {{ id presignedUrl }}" for n in indexes)
    variables: dict[str, str] = {}
    for n, spec in enumerate(specs):
        variables[f"t{n}"] = valid_text(spec.extension)
        variables[f"n{n}"] = valid_text(spec.name)
    return {"query": f"mutation CreateFiles({declared}) {{ {fields} }}", "variables": variables}


def get_file(file_id: str) -> dict[str, Any]:
    """Return the GraphQL request for one file."""
    query = "query GetFile($id: ID!) { getFile(fileId: $id) { id presignedUrl } }"
    return {"query": query, "variables": {"id": valid_text(file_id)}}


def _data(answer: ApiAnswer) -> Mapping[str, Any]:
    try:
        body = json_object(answer, _SERVICE)
    except ProblemError:
        raise_for_status(answer, _SERVICE, "")
        raise
    errors = body.get("errors")
    if errors:
        _raise_for_errors(answer, errors)
    raise_for_status(answer, _SERVICE, "")
    data = body.get("data")
    if not isinstance(data, dict):
        raise malformed(_SERVICE, "neither data nor errors")
    return data


def _not_found(answer: ApiAnswer) -> bool:
    """Return whether the service says that it does not know the file."""
    try:
        errors = json_object(answer, _SERVICE).get("errors")
    except ProblemError:
        return False
    kind = _first_error(errors).get("errorType")
    return answer.status == 200 and isinstance(kind, str) and _NOT_FOUND in kind.lower()


def _first_error(errors: Any) -> Mapping[str, Any]:
    return errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}


def _raise_for_errors(answer: ApiAnswer, errors: Any) -> None:
    first = _first_error(errors)
    # Only text is used: another value may be nested too deeply to be printed.
    kind, message = (value if isinstance(value := first.get(name), str) else "" for name in ("errorType", "message"))
    message = message or "an error without a message"
    said = f"{kind}: {message}" if kind else message
    # An error status (401, 429, 503) is more specific than the body.
    raise_for_status(answer, _SERVICE, said)
    meanings = (meaning for word, meaning in _ERROR_TYPES if word in kind.lower())
    text = f"{_SERVICE} answered {shortened(said, MESSAGE_LIMIT)}"
    raise ProblemError(Problem(next(meanings, ProblemKind.TRANSIENT), text, maybe_created=True))
