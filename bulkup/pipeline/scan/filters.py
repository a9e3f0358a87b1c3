"""The user's patterns and limits: which directory entries belong to the run. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.helpers.gitignore import Patterns
from bulkup.helpers.utf8_mode import path_text
from bulkup.model.files import Identity
from bulkup.pipeline.options import ScanOptions


class Filters:
    """Patterns and limits. Paths are bytes, relative to the source, with `/` as separator.

    `ignored` are patterns of the source itself, which come before those of the options.
    `takes_all`: there are no patterns and limits for files, so every file that is not hidden belongs to the run.
    """

    def __init__(self, options: ScanOptions, ignored: Sequence[str] = ()) -> None:
        self._options = options
        self._include = _compiled(options.include)
        self._exclude = _compiled((*ignored, *options.exclude))
        limits = (options.min_size, options.max_size, options.max_age)
        patterns = options.include or options.exclude or ignored
        self.takes_all = not (patterns or options.min_age > 0 or limits != (None, None, None))

    def prunes(self, path: bytes) -> bool:
        """Return whether a directory is excluded with its content."""
        return self._exclude is not None and self._exclude.match(path_text(path) + "/")

    def takes_name(self, path: bytes) -> bool:
        """Return whether a file matches an include, if there are any, and no exclude."""
        if self._include is None and self._exclude is None:
            return True
        text = path_text(path)
        if self._include is not None and not self._include.match(text):
            return False
        return self._exclude is None or not self._exclude.match(text)

    def takes_size(self, identity: Identity) -> bool:
        """Return whether the size is within the limits, both inclusive."""
        low, high = self._options.min_size, self._options.max_size
        return (low is None or identity.size >= low) and (high is None or identity.size <= high)

    def too_new(self, identity: Identity, now: float) -> bool:
        """Return whether a file changed less than `min_age` seconds before `now` (Unix time): it may be incomplete.

        A time in the future was set by a program, or a camera with a wrong clock. Then the time of the inode counts.
        """
        if self._options.min_age <= 0:
            return False
        changed = identity.mtime_ns if identity.mtime_ns / 1e9 <= now else identity.ctime_ns
        return changed / 1e9 > now - self._options.min_age

    def too_old(self, identity: Identity, now: float) -> bool:
        """Return whether a file changed more than `max_age` seconds before `now` (Unix time)."""
        longest = self._options.max_age
        return longest is not None and identity.mtime_ns / 1e9 < now - longest

    def too_deep(self, path: bytes) -> bool:
        """Return whether the content of a directory is below the levels that are walked."""
        most = self._options.max_depth
        return most is not None and path.count(b"/") + 2 > most

    def hides(self, name: bytes) -> bool:
        """Return whether an entry is skipped because its name begins with a dot."""
        return self._options.hidden == "skip" and name.startswith(b".")


def _compiled(patterns: Sequence[str]) -> Patterns | None:
    return Patterns(patterns) if patterns else None
