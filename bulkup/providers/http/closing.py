"""The calls that end an upload at a described service: the closing call, its polls, and the call for files given up."""

from __future__ import annotations

import dataclasses
from typing import Any

from bulkup.config.described_service import HttpDescription
from bulkup.config.description_names import DIGEST_NAMES, FILE_NAMES, ID, STATE
from bulkup.config.json_path import JsonPath, JsonPathError
from bulkup.config.template_text import Template, templates_in
from bulkup.helpers.short_text import shortened
from bulkup.model.http import ApiAnswer, ApiCall
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.states import FileState
from bulkup.model.tickets import Receipt, Ticket
from bulkup.providers.answer_parsing import MESSAGE_LIMIT, json_document, malformed
from bulkup.providers.base import Closing, NotYet
from bulkup.providers.http.answer_shape import shape_of
from bulkup.providers.http.answers import check_status
from bulkup.providers.http.calls import CompiledCall, DescribedCalls
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.json_values import said_in
from bulkup.providers.http.rendering import Compiler

_FIRST_ERROR = 400  # of the statuses
_CONFLICT = 409
_ABOUT_THE_FILE = (404, _CONFLICT, 410)  # the id in the path of a closing call
_STATES = {FileState.FAILED: "FAILED"}
_CANCELLED = "CANCELLED"


class ClosingCalls:
    """Makes the calls of the tables `http.confirm` and `http.abandon`. The capabilities say which of them exist."""

    def __init__(self, description: HttpDescription, service: str, calls: DescribedCalls, compiler: Compiler) -> None:
        one = description
        self._answer_table = one.answer
        self._table = one.confirm
        self._service = service
        self._calls = calls
        self._of_receipt_names = _closing_names(one).intersection(DIGEST_NAMES).difference(saved_names(one))
        self._confirm = calls.compiled(one.confirm, one.confirm.body) if one.confirm is not None else None
        self._abandon = calls.compiled(one.abandon, one.abandon.body) if one.abandon is not None else None
        self._poll: CompiledCall | None = None
        if one.confirm is not None and one.confirm.poll is not None and self._confirm is not None:
            self._poll = CompiledCall("GET", compiler.url(one.confirm.poll), self._confirm.headers, None)

    async def confirm(self, ticket: Ticket, receipt: Receipt, call: ApiCall, *, again: bool) -> Closing:
        """Make the closing call. After an earlier one that may have been received, a conflict means that it was."""
        assert self._confirm is not None
        values = _values(ticket, **self._of_receipt(receipt))
        answer = await self._calls.make(self._confirm, values, call)
        if (again and answer.status == _CONFLICT) or self._was_closed(answer):
            table = self._table
            # It was received, and may not be done yet.
            return NotYet(table.every) if table is not None and table.poll is not None else {}
        return self._closing(answer)

    async def poll(self, ticket: Ticket, call: ApiCall) -> Closing:
        """Ask whether the upload is complete, with the call for that, or the closing call again."""
        asked = self._poll or self._confirm
        assert asked is not None
        return self._closing(await self._calls.make(asked, _values(ticket), call))

    async def abandon(self, ticket: Ticket, state: FileState, call: ApiCall) -> None:
        """Make the call for a file that was given up."""
        assert self._abandon is not None
        values = _values(ticket, **{STATE: _STATES.get(state, _CANCELLED)})
        self._check(await self._calls.make(self._abandon, values, call))

    def _closing(self, answer: ApiAnswer) -> Closing:
        """Return the result of the answer to a closing call or poll. Raises `ProblemError`."""
        self._check(answer)
        table = self._table
        assert table is not None
        if table.done is None:
            return {}
        document = json_document(answer, self._service)
        if table.failed is not None and (reason := self._find("failed", table.failed, document)):
            said = f": {shortened(said_in(reason), MESSAGE_LIMIT)}" if said_in(reason) else ""
            raise ProblemError(Problem(ProblemKind.FAILED, f"{self._service} reports the upload as failed{said}"))
        return {} if self._find("done", table.done, document) else NotYet(table.every)

    def _was_closed(self, answer: ApiAnswer) -> bool:
        """Return whether a refusal says that the upload was complete before."""
        table = self._table
        if table is None or table.already is None or answer.status < _FIRST_ERROR:
            return False
        try:
            return bool(table.already.find(answer.json()))
        except ValueError:  # no JSON, or the expression cannot be applied to it
            return False

    def _find(self, key: str, path: JsonPath, document: Any) -> Any:
        try:
            return path.find(document)
        except JsonPathError as error:
            failure = str(error)
        raise malformed(self._service, f"{shape_of(document)}, in which http.confirm.{key}: {failure}")

    def _check(self, answer: ApiAnswer) -> None:
        """Raise `ProblemError` unless a closing call succeeded. The service accepted the file before."""
        try:
            check_status(self._answer_table, answer, self._service)
        except ProblemError as error:
            problem = error.problem
            if problem.kind is not ProblemKind.REJECTED and answer.status not in _ABOUT_THE_FILE:
                raise
        else:
            return
        raise ProblemError(dataclasses.replace(problem, kind=ProblemKind.FAILED))

    def _of_receipt(self, receipt: Receipt) -> dict[str, str]:
        """Return the MD5 of the bytes that were sent, if the closing call needs it."""
        needed = self._of_receipt_names
        if not needed:
            return {}
        if receipt.digest is None or receipt.digest.algorithm != "md5":
            text = "the closing call needs the file's MD5, which was not computed (checksum)"
            raise ProblemError(Problem(ProblemKind.FAILED, text))
        return {"md5_hex": receipt.digest.hex, "md5_base64": receipt.digest.base64}


def saved_names(one: HttpDescription) -> tuple[str, ...]:
    """Return the names of a file's values that the closing calls need, so that the ticket keeps them."""
    known = _closing_names(one)
    return tuple(name for name in FILE_NAMES if name in known and DIGEST_NAMES.get(name, one.checksum) == one.checksum)


def _values(ticket: Ticket, **more: str) -> FileValues:
    return FileValues(None, {ID: ticket.remote_id, **ticket.remote, **more})


def _closing_names(one: HttpDescription) -> set[str]:
    """Return the names in the templates of the closing calls."""
    templates: list[Template] = []
    for table in (one.confirm, one.abandon):
        if table is not None:
            templates += [table.path, *(table.headers or {}).values(), *templates_in(table.body)]
    if one.confirm is not None and one.confirm.poll is not None:
        templates.append(one.confirm.poll)
    return {name for template in templates for name in template.names}
