"""Keeps files out of the pipeline once the run has reached `max_files` or `max_bytes`.

It stands before the routes on which files of the scanner and hasher enter. Files that it admitted pass it again without
a check: those whose URL is renewed do not come here, those that changed do. A file that is refused stays for the next
run. The scanner ends then, the files under way are finished, and the run ends with exit code 6.
"""

from __future__ import annotations

from bulkup.errors import ExitCode
from bulkup.helpers.event_logger import EventLogger
from bulkup.model.items import Item
from bulkup.model.log_events import LogEvent
from bulkup.model.tickets import Ticket
from bulkup.pipeline.routes import Routes
from bulkup.pipeline.run import Run

_log = EventLogger("bulkup")


class Admission:
    """Asks the run's quota about each file. Its methods never block."""

    def __init__(self, run: Run, routes: Routes) -> None:
        self._run = run
        self._routes = routes

    def take_over(self) -> None:
        """Lead files that lack a ticket, or have one of an earlier run, through this check."""
        self._ask, self._resume = self._routes.ask, self._routes.resume
        self._routes.ask, self._routes.resume = self.ask, self.resume

    def ask(self, item: Item) -> None:
        """Pass a file on that needs a ticket."""
        if self._admits(item):
            self._ask(item)

    def resume(self, item: Item, ticket: Ticket) -> None:
        """Pass a file on that has a ticket of an earlier run."""
        if self._admits(item):
            self._resume(item, ticket)

    def _admits(self, item: Item) -> bool:
        quota, first = self._run.quota, self._run.quota.reached is None
        item.admitted = item.admitted or quota.admits(item.file.identity.size)
        if not item.admitted:
            if first:
                _log.warning(LogEvent.RUN_LIMIT_REACHED, limit=quota.reached)
                self._run.stop.note(ExitCode.TIME_UP)
            self._routes.give_back(item)
        return item.admitted
