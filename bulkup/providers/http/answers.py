"""Reads tickets out of the answers of a described service: which entry is for which file, and whether all fit.

A path that finds nothing, several values or a value of another type makes the whole answer malformed. The message has
the shape of the answer and none of its values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bulkup.config.described_service import AnswerTable, HttpDescription
from bulkup.config.json_path import JsonPathError
from bulkup.helpers.short_text import shortened
from bulkup.model.files import extension_of
from bulkup.model.http import ApiAnswer
from bulkup.model.problems import Problem, ProblemError, ProblemKind
from bulkup.model.tickets import Ticket
from bulkup.providers.answer_parsing import (
    MESSAGE_LIMIT,
    check_distinct_tickets,
    json_document,
    malformed,
    raise_for_status,
)
from bulkup.providers.base import FileSpec, TicketAnswer
from bulkup.providers.http.answer_paths import AnswerPaths
from bulkup.providers.http.answer_shape import shape_of
from bulkup.providers.http.compared_keys import comparison
from bulkup.providers.http.entries import EntryReader
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.json_values import not_found, said_in
from bulkup.providers.http.rendering import Compiler
from bulkup.providers.url_reader import UrlReader

_MISFITS = 3  # answers that do not fit, before any that does: each of them may have created ids
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
        self._table = description.answer
        self._service = service
        self._base_url = base_url
        self._single = description.batch_size == 1
        match = self._table.match
        self.key_of = compiler.text(match.file) if match is not None else None
        self._paths = AnswerPaths(service)
        self._entry_reader = EntryReader(description, service, self._paths, compiler, saved)
        self._has_fitted = False
        self._misfits = 0

    def check_status(self, answer: ApiAnswer) -> None:
        """Raise `ProblemError` unless the call succeeded."""
        check_status(self._table, answer, self._service)

    def read(self, answer: ApiAnswer, files: Sequence[FileValues]) -> list[TicketAnswer]:
        """Return the answer for each file, in their order. Raises `ProblemError`."""
        document = json_document(answer, self._service)
        try:
            read = self._read(document, answer, files)
        except ProblemError as error:
            said, kind, problem = self._said(document), _kind_of_code(self._table, document), error.problem
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
            return said_in(self._table.error.find(document)) if self._table.error is not None else ""
        except JsonPathError:
            return ""

    def _read(self, document: Any, answer: ApiAnswer, files: Sequence[FileValues]) -> list[TicketAnswer]:
        entries: list[Any]
        if self.key_of is not None and not self._single:
            entries = self._of_files(self._by_key(document, len(files)), files, self.key_of)
        else:
            entries = self._entries(document, len(files))
        if len(entries) != len(files):
            raise self._paths.wrong("tickets", f"found {len(entries)} entries for {len(files)} files", document)
        urls, read_entry = UrlReader(answer, self._base_url, self._service), self._entry_reader.read
        read = [read_entry(entry, values, answer, urls) for entry, values in zip(entries, files, strict=True)]
        tickets = [one for one in read if isinstance(one, Ticket)]
        if len(tickets) > 1:
            check_distinct_tickets(tickets, self._service)
            self._check_order(read, files)
        return read

    def _entries(self, document: Any, count: int) -> list[Any]:
        found = self._paths.find("tickets", self._table.tickets, document)
        if isinstance(found, list) and not (self._single and self._table.tickets.text == "@"):
            return found
        if self._single and not isinstance(found, list) and found is not None:
            return [found]
        what = "found nothing" if found is None else f"found {shape_of(found)}, not a list"
        raise self._paths.wrong("tickets", f"{what}, for {count} files", document)

    def _by_key(self, document: Any, count: int) -> dict[str, Any]:
        """Return the entries by the value that names their file."""
        match, paths = self._table.match, self._paths
        assert match is not None
        if match.answer is None:
            found = paths.find("tickets", self._table.tickets, document)
            if not isinstance(found, dict):
                raise paths.wrong("tickets", not_found(found, "a table"), document)
            return found
        by_key: dict[str, Any] = {}
        for entry in self._entries(document, count):
            key = paths.find("match.answer", match.answer, entry)
            if not isinstance(key, str | int):
                raise paths.wrong("match.answer", not_found(key, "a text"), entry)
            if str(key) in by_key:
                raise paths.wrong("match.answer", "found the same value in two entries", entry)
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
            raise self._paths.wrong("match", what, list(by_key.values()))
        return [by_key[key] for key in keys]

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


def check_status(table: AnswerTable | None, answer: ApiAnswer, service: str) -> None:
    """Raise `ProblemError` unless a call succeeded. `table` leads to its message, code and meaning."""
    if 200 <= answer.status < 300:
        return
    kind, said = None, ""
    if table is not None:
        meaning = table.statuses.get(answer.status)
        kind = _KINDS[meaning] if meaning is not None else None
        with contextlib.suppress(ValueError):  # no JSON, or the expression cannot be applied to it
            document = answer.json()
            kind = _kind_of_code(table, document) or kind
            said = said_in(table.error.find(document)) if table.error is not None else ""
    raise_for_status(answer, service, said, kind=kind)


def _kind_of_code(table: AnswerTable, document: Any) -> ProblemKind | None:
    """Return the meaning of the code in an error, None for one without a meaning."""
    if table.code is None:
        return None
    try:
        code = table.code.find(document)
    except JsonPathError:
        return None
    meaning = table.codes.get(str(code)) if isinstance(code, str | int) else None
    return _KINDS[meaning] if meaning is not None else None


def _spec(values: FileValues) -> FileSpec:
    assert values.spec is not None
    return values.spec
