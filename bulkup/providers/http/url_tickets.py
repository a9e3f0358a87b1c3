"""Tickets of a description that has the URL of uploads, and so needs no presign call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bulkup.config.described_service import HttpDescription
from bulkup.config.description_names import ID
from bulkup.config.template_text import Template
from bulkup.helpers.secrets import SecretUrl
from bulkup.model.tickets import Rejection, Ticket
from bulkup.model.url_ends import end_of_url
from bulkup.providers.answer_parsing import takes_content_md5, upload_url
from bulkup.providers.base import FileSpec, TicketAnswer
from bulkup.providers.http.entries import path_of, success_of
from bulkup.providers.http.file_values import FileValues
from bulkup.providers.http.limits import url_is_known
from bulkup.providers.http.rendering import Compiler, DotSegmentError

_DOT_SEGMENT = Rejection("a part of its URL would be `.` or `..`, which servers remove")


class UrlTickets:
    """Renders the URL of each file. `shown` compiles it without secrets, because ids and places are printed.

    `saved` returns values of a file that the closing call needs.
    """

    def __init__(
        self,
        description: HttpDescription,
        url: Template,
        service: str,
        base_url: str,
        compiler: Compiler,
        shown: Compiler,
        saved: Callable[[FileValues], Mapping[str, Any]],
    ) -> None:
        put = description.put
        self._service = service
        self._base_url = base_url
        self._saved = saved
        self._known = url_is_known(description)
        self._url = compiler.url(url)
        self._shown_url = shown.url(url)
        self._headers = compiler.headers(put.headers)
        self._method = put.method or "PUT"
        self._success = success_of(description)
        self._proof = put.checksum or ""

    def rejection(self, spec: FileSpec) -> Rejection | None:
        """Return why a file cannot have a URL, None where it can or that is not known yet."""
        if self._known:
            try:
                self._url(FileValues(spec))
            except DotSegmentError:
                return _DOT_SEGMENT
        return None

    def path(self, values: FileValues) -> str:
        """Return the path of a file's URL, without secrets."""
        return path_of(SecretUrl(self._shown_url(values)))

    def ticket(self, spec: FileSpec) -> TicketAnswer:
        """Return the ticket of a file. Raises `ProblemError`."""
        values = FileValues(spec)
        try:
            url = upload_url(self._url(values), self._base_url, self._service)
        except DotSegmentError:
            return _DOT_SEGMENT
        remote_id = self.path(values)
        values.more = {ID: remote_id}
        headers = self._headers(values)
        return Ticket(
            url=url,
            remote_id=remote_id,
            expires_at=end_of_url(url).at,
            method=self._method,
            headers=headers,
            remote={ID: remote_id, **self._saved(values)},
            content_md5=takes_content_md5(url) and not any(name.lower() == "content-md5" for name in headers),
            success=self._success,
            proof=self._proof,
        )
