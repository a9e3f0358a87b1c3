"""Upload URLs that the user was given as a list: no API is called (docs/providers/urls.md)."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

import anyio

from bulkup.helpers.utf8_mode import path_bytes
from bulkup.model.http import ApiCall, StorageAnswer
from bulkup.model.problems import Problem, ProblemKind
from bulkup.model.tickets import Rejection, Ticket
from bulkup.model.url_ends import end_of_url
from bulkup.providers.answer_parsing import takes_content_md5
from bulkup.providers.base import Capabilities, FileSpec, Provider, ProviderConfig, TicketAnswer
from bulkup.providers.urls.url_line import UrlLine
from bulkup.providers.urls.url_list import UrlList

_NEW_LIST = "give a list with a new URL for it; the next run continues with that"
_NO_URL = "the URL list has no entry for it"
_MAX_SIZE = 1 << 62  # storage decides
_MAX_SKEW = 900.0  # seconds by which the clock of this machine may be wrong


class Urls(Provider):
    """A list of upload URLs. The remote id is the entry's `id`, or the URL without its query."""

    name = "urls"
    capabilities = Capabilities(
        batch_limit=1000,
        batch_size=100,
        max_size=_MAX_SIZE,
        reusable_urls=False,  # another list may have replaced the URL
        creates_ids=False,
        signs_locally=True,
    )

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._list: UrlList = config.settings["urls"]

    def close(self) -> None:
        """Close the list."""
        self._list.close()

    def reject(self, spec: FileSpec) -> Rejection | None:
        """Refuse files without a URL."""
        if self._list.get(path_bytes(spec.path)) is None:
            return Rejection(_NO_URL)
        return super().reject(spec)

    async def presign(self, specs: Sequence[FileSpec], call: ApiCall) -> Sequence[TicketAnswer]:  # noqa: ARG002  # there is no API
        """Look the files up in the list."""
        entries = await anyio.to_thread.run_sync(self._entries, [path_bytes(spec.path) for spec in specs])
        now = self.config.clock.now()
        return [Rejection(_NO_URL) if entry is None else _answer(entry, now) for entry in entries]

    def _entries(self, paths: Sequence[bytes]) -> list[UrlLine | None]:
        return [self._list.get(path) for path in paths]

    @classmethod
    def classify(cls, answer: StorageAnswer, now: float) -> Problem | None:
        """Return the problem in storage's answer. A refused URL is final, because there is no other."""
        problem = super().classify(answer, now)
        if problem is None or problem.kind not in (ProblemKind.EXPIRED, ProblemKind.REFUSED):
            return problem
        why = "its URL has expired" if problem.kind is ProblemKind.EXPIRED else "storage refuses its URL"
        return dataclasses.replace(problem, kind=ProblemKind.FAILED, message=f"{why} ({problem.message}); {_NEW_LIST}")


def _answer(entry: UrlLine, now: float) -> Ticket | Problem:
    stated = end_of_url(entry.url).at
    end = min((at for at in (entry.expires_at, stated) if at is not None), default=None)
    if end is not None and end + _MAX_SKEW <= now:
        shown = dt.datetime.fromtimestamp(end, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return Problem(ProblemKind.FAILED, f"its URL expired at {shown}; {_NEW_LIST}")
    remote_id = entry.remote_id or str(entry.url).partition("?")[0]
    md5 = {} if entry.md5 is None else {"Content-MD5": entry.md5}
    # Without an end: there is no URL to renew it with, so it is used as long as storage accepts it. Storage decides
    # about a URL that ended a short time ago, too: the clock of this machine may be wrong.
    return Ticket(
        url=entry.url,
        remote_id=remote_id,
        method=entry.method,
        headers={**entry.headers, **md5},
        remote={"id": remote_id},
        content_md5=entry.md5 is None and takes_content_md5(entry.url),
    )
