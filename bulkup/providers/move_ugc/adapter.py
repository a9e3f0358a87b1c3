"""Move UGC: GraphQL `createFile`, many aliases in one mutation (docs/contracts.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bulkup.model.http import ApiAnswer, ApiCall, json_request
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Rejection, Ticket
from bulkup.providers.answer_parsing import (
    distinct,
    json_object,
    lease_of_url,
    malformed,
    raise_for_status,
    text_of,
    upload_url,
)
from bulkup.providers.base import Capabilities, FileSpec, Provider, valid_text

_SERVICE = "Move"
_MESSAGE_LIMIT = 256

# errorType stands beside message, not under extensions. Words of AppSync and of the service, matched as substrings,
# the first that fits; anything else may pass with time.
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

    Its upload URLs are signed with version 2, which covers Content-Type and Content-MD5, both empty: a PUT that carries
    either one is a 403. So its tickets never ask for them.
    """

    name = "move-ugc"
    capabilities = Capabilities(batch_limit=100, batch_size=50)

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse what has no extension: `type` is the only thing the service wants to know, and it is required."""
        if not spec.extension:
            return Rejection("move-ugc does not take a file without an extension", unsupported=True)
        return super().reject(spec)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[Ticket | Rejection]:
        """Create the files in one mutation, an alias each. On any error none is taken as created."""
        headers = {"Authorization": self.config.credentials["api_key"]}
        answer = await call(json_request("POST", "/ugc/graphql", headers, create_files(specs)))
        data = _data(answer)
        if set(data) != {f"f{n}" for n in range(len(specs))}:
            raise malformed(_SERVICE, f"{len(data)} files for the {len(specs)} asked for")
        tickets = [self._ticket(data[f"f{n}"], answer) for n in range(len(specs))]
        distinct(tickets, _SERVICE)
        return tickets

    def _ticket(self, item: Any, answer: ApiAnswer) -> Ticket:
        remote_id = text_of(item, "id", _SERVICE)
        url = upload_url(text_of(item, "presignedUrl", _SERVICE), self.config.base_url, _SERVICE)
        return Ticket(url, remote_id, lease_of_url(url, answer), remote={"id": remote_id})


def create_files(specs: Sequence[FileSpec]) -> dict[str, Any]:
    """Return the GraphQL request for these files. Types and names travel as variables, never inside the query."""
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
    # Only texts: another value may be nested so deeply that it cannot even be printed.
    kind, message = (told if isinstance(told := first.get(name), str) else "" for name in ("errorType", "message"))
    message = message or "an error without a message"
    said = f"{kind}: {message}" if kind else message
    # A status of its own (401, 429, 503) says more than the body does.
    raise_for_status(answer, _SERVICE, said)
    known = (meaning for word, meaning in _ERROR_TYPES if word in kind.lower())
    raise ProblemError(
        Problem(next(known, ProblemKind.TRANSIENT), f"{_SERVICE} answered {said[:_MESSAGE_LIMIT]}", maybe_created=True)
    )
