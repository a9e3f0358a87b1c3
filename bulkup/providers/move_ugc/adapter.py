"""Move UGC: the GraphQL mutation `createFile`, with one alias per file (docs/contracts.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiAnswer, ApiCall, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Rejection, Ticket
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


class MoveUgc(Provider):
    """The files of Move's UGC API. The remote id is the file's `id`.

    Its upload URLs have a version 2 signature over an empty Content-Type and Content-MD5, so storage answers a PUT with
    either header with a 403. Its tickets have neither.
    """

    name = "move-ugc"
    capabilities = Capabilities(batch_limit=100, batch_size=50)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse a file without an extension, because the required field `type` is made of it."""
        if not spec.extension:
            return Rejection("move-ugc does not accept a file without an extension", unsupported=True)
        return super().reject(spec)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Create the files in one mutation, with an alias for each. After any error, none counts as created."""
        headers = {"Authorization": self.config.credentials["api_key"]}
        answer = await call(json_request("POST", "/ugc/graphql", headers, create_files(specs), urls=len(specs)))
        data = _data(answer)
        if set(data) != {f"f{n}" for n in range(len(specs))}:
            raise malformed(_SERVICE, f"{len(data)} files for the {len(specs)} requested")
        tickets = [self._ticket(data[f"f{n}"], answer) for n in range(len(specs))]
        check_distinct_tickets(tickets, _SERVICE)
        return tickets

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


def _raise_for_errors(answer: ApiAnswer, errors: Any) -> None:
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    # Only text is used: another value may be nested too deeply to be printed.
    kind, message = (value if isinstance(value := first.get(name), str) else "" for name in ("errorType", "message"))
    message = message or "an error without a message"
    said = f"{kind}: {message}" if kind else message
    # An error status (401, 429, 503) is more specific than the body.
    raise_for_status(answer, _SERVICE, said)
    meanings = (meaning for word, meaning in _ERROR_TYPES if word in kind.lower())
    text = f"{_SERVICE} answered {shortened(said, MESSAGE_LIMIT)}"
    raise ProblemError(Problem(next(meanings, ProblemKind.TRANSIENT), text, maybe_created=True))
