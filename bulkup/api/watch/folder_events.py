"""The events of the file system below some directories, by the package watchfiles (extra `bulkup[watch]`).

The kernel watches each directory for itself, so a tree of many directories may exceed the user's limit. A watch also
misses changes by another machine on a network file system. In both cases only looking at all files helps.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass

if TYPE_CHECKING:
    from watchfiles import Change

INOTIFY_HINT = (
    "allow more with: sysctl fs.inotify.max_user_watches=1048576 fs.inotify.max_user_instances=1024 "
    "(and write it into /etc/sysctl.d)"
)
# In the texts of errors about the limits on watches and inotify instances.
_LIMITS = ("limit reached", "Too many open files", "No space left")


@dataclass(frozen=True, slots=True)
class EventOptions:
    """How events are grouped: for `debounce` milliseconds at most, checked every `step` milliseconds."""

    debounce: int = 1000
    step: int = 100


@dataclass(frozen=True, slots=True)
class FolderEvent:
    """A path that appeared or changed, or was `deleted`."""

    path: bytes
    deleted: bool = False
    is_folder: bool = False


class EventsLostError(Exception):
    """There are no events any more. `limit` says that the kernel allows no more watches."""

    def __init__(self, reason: str, *, limit: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.limit = limit


Receive = Callable[[Sequence[FolderEvent]], None]


async def folder_events(roots: Sequence[bytes], receive: Receive, options: EventOptions | None = None) -> None:
    """Call `receive` with events below the directories, until cancelled. The first call says that they are watched.

    Raises `EventsLostError`: the kernel allows no more watches, a directory is gone, or a name is not UTF-8. Raises
    `UsageError` without watchfiles.
    """
    watch = _watchfiles()
    stop, loop = threading.Event(), asyncio.get_running_loop()
    given = options or EventOptions()

    def work(*, passes_over_unreadable: bool = False) -> None:
        for root in roots:
            os.stat(root)  # watchfiles may watch nothing instead
        found = watch(
            *map(os.fsdecode, roots),
            watch_filter=None,
            debounce=given.debounce,
            step=given.step,
            rust_timeout=given.step,
            yield_on_timeout=True,
            raise_interrupt=False,
            ignore_permission_denied=passes_over_unreadable,
            stop_event=stop,
        )
        begun = False
        for changes in found:
            if changes or not begun:
                begun = True
                events = [event for event in map(_event, changes) if event is not None]
                if stop.is_set():
                    return
                # Without a wait for the loop: it may have ended, and would never answer.
                loop.call_soon_threadsafe(receive, events)

    def work_in_any_case() -> None:
        try:
            work()
        except PermissionError:
            # The unreadable directories have no events. This way watchfiles also keeps silent about its limits.
            work(passes_over_unreadable=True)

    try:
        await anyio.to_thread.run_sync(work_in_any_case, abandon_on_cancel=True)
    except (OSError, RuntimeError) as error:
        text = str(error)
        limit = any(one in text for one in _LIMITS)
        raise EventsLostError("the system allows no more watches" if limit else text, limit=limit) from error
    finally:
        stop.set()
    raise EventsLostError("the directories are not watched any more")


def require_watchfiles() -> None:
    """Raise `UsageError` if the package watchfiles is not installed."""
    _watchfiles()


def _watchfiles() -> Any:
    try:
        from watchfiles import watch  # noqa: PLC0415  # an extra
    except ImportError as error:
        what = "watch needs the package watchfiles"
        raise UsageError(what, hint="install it with: pip install 'bulkup[watch]'") from error
    return watch


def _event(change: tuple[Change, str]) -> FolderEvent | None:
    """Return an event, None for a directory with only a new mode or time. Changes in it have events of their own."""
    kind, text = change
    path = os.fsencode(text)
    is_folder = os.path.isdir(path)
    if kind.name == "modified" and is_folder:
        return None
    deleted = not os.path.lexists(path)  # of several events at once, the order is unknown
    return FolderEvent(path, deleted, is_folder)
