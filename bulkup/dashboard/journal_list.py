"""Finds the journals of this user, with the state and the newest runs of each.

A journal is read with a connection of its own for each look, which is closed at once. A file of another user is never
opened: SQLite would create files beside it that this user owns, and the other user's next run would fail.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from bulkup.config.profile_journal import profile_of_journal
from bulkup.dashboard.run_figures import may_leave_files
from bulkup.errors import BulkupError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.journal import Lock, Reader
from bulkup.journal.database import NewerJournalError, UnusedJournalError
from bulkup.journal.error_mapping import BusyJournalError, DamagedJournalError
from bulkup.journal.index_rows import files_left
from bulkup.journal.reader import ReaderOptions
from bulkup.model.journal_rows import RunRow

_END = ".sqlite3"
_ID = 12  # hex digits
Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class JournalView:
    """A journal at one moment.

    `state` is one of `ready`, `running`, `empty` (no run has used it yet), `gone`, `foreign` (another user's),
    `newer` (a later version), `busy` (another program has locked it), `damaged` and `unusable`. `message` and `hint`
    explain the last six. `profile` is the name of its profile, and `config_file` the file that has it; both are None
    for a journal without one. `left` is the number of files that are not uploaded, counted only where the last run
    alone does not tell whether there are some.
    """

    id: str
    path: str
    state: str
    profile: str | None = None
    config_file: str | None = None
    message: str = ""
    hint: str = ""
    runs: tuple[RunRow, ...] = ()
    signature: Signature = ()
    holder: str = ""  # the process id of its run
    left: int | None = None

    @property
    def readable(self) -> bool:
        """Return whether rows can be read."""
        return self.state in ("ready", "running")


class JournalList:
    """The journals of the folder of this user, and those named in addition. Used by one thread at a time."""

    def __init__(self, folder: str | None, named: Sequence[str], shown_runs: int, busy_wait: float) -> None:
        self._folder = folder
        self._named = tuple(map(os.path.abspath, named))
        self._shown_runs = shown_runs
        self._options = ReaderOptions(busy_wait=busy_wait)  # a locked journal must not keep the others waiting
        self._known: dict[str, JournalView] = {}

    def look(self) -> dict[str, JournalView]:
        """Return all journals by id. Those that did not change since the last look are not read again."""
        found = dict[str, JournalView]()
        for path in self._paths():
            name = journal_id(path)
            found[name] = self._view(name, path)
        for name, before in self._known.items():
            if name not in found and before.state != "gone":
                found[name] = JournalView(name, before.path, "gone", before.profile, before.config_file, *_GONE)
            elif name not in found:
                found[name] = before
        self._known = found
        return dict(found)

    def _paths(self) -> list[str]:
        paths = [path for path in self._named if os.path.lexists(path)]
        if self._folder is not None:
            paths += _journals_in(self._folder)
        return list(dict.fromkeys(map(os.path.realpath, paths)))

    def _view(self, name: str, path: str) -> JournalView:
        before, signature = self._known.get(name), signature_of(path)
        if before is not None and before.signature == signature and before.state in ("damaged", "foreign", "newer"):
            return before
        if before is not None and before.state == "damaged":
            return before  # each further look at a damaged file would make another copy of it
        try:
            if os.stat(path).st_uid != os.geteuid():
                return JournalView(name, path, "foreign", message=_FOREIGN, hint=_FOREIGN_HINT, signature=signature)
            lock = Lock(path)
            holder = lock.holder() if lock.is_held() else ""
            # Rows of runs are written when a run begins and when it ends. In between, a running one is left alone.
            same = before is not None and (before.state == "running" or before.signature == signature)
            if before is not None and before.readable and before.holder == holder and same:
                return before
            return self._read(name, path, signature, holder)
        except DamagedJournalError as error:
            return JournalView(name, path, "damaged", *_owner(path), error.message, error.hint, signature=signature)
        except BulkupError as error:
            if isinstance(error, BusyJournalError) and before is not None and before.readable:
                return before  # what is known of it is shown on
            state = _STATES.get(type(error), "unusable")
            return JournalView(name, path, state, *_owner(path), error.message, error.hint, signature=signature)
        except OSError as error:
            text = f"the journal cannot be examined: {error.strerror or error}"
            return JournalView(name, path, "unusable", message=text, signature=signature)

    def _read(self, name: str, path: str, signature: Signature, holder: str) -> JournalView:
        runs = []
        with Reader(path, options=self._options) as reader:
            for run in reader.runs():
                runs.append(run)
                if len(runs) >= self._shown_runs:
                    break
            left = files_left(reader) if may_leave_files(runs) else None
        state = "running" if runs and runs[0].running else "ready"
        return JournalView(
            name, path, state, *_owner(path), runs=tuple(runs), signature=signature, holder=holder, left=left
        )


_STATES: dict[type, str] = {NewerJournalError: "newer", UnusedJournalError: "empty", BusyJournalError: "busy"}
_GONE = ("the journal was deleted or moved away", "start the dashboard again to forget it")
_FOREIGN = "the journal belongs to another user"
_FOREIGN_HINT = "start the dashboard as that user"


def journal_id(path: str) -> str:
    """Return a short name for a journal, which tells nothing about its path."""
    return hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:_ID]


def signature_of(path: str) -> Signature:
    """Return numbers that change with every transaction of the journal."""
    found = []
    for end in ("", "-wal"):
        try:
            status = os.stat(path + end)
        except OSError:
            status = None
        # A reader creates an empty log, and removes none.
        found.append(
            (0, 0, 0) if status is None or not status.st_size else (status.st_ino, status.st_size, status.st_mtime_ns)
        )
    return tuple(found)


def _owner(path: str) -> tuple[str | None, str | None]:
    return profile_of_journal(path) or (None, None)


def _journals_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(one.name for one in entries if one.name.endswith(_END) and not one.is_symlink())
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names]
