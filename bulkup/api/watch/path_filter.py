"""Which changed paths of a watch begin a run: those that the filters of a run would take by their name.

Otherwise a log that is excluded would begin a run that sends nothing, whenever it is written. The same holds for the
folder of journals, where those of other profiles may lie in a source. Sizes and ages are left to the run.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping

from bulkup.api import composition
from bulkup.config import Settings
from bulkup.config.user_dirs import user_state_dir
from bulkup.errors import UsageError
from bulkup.pipeline import ScanOptions
from bulkup.pipeline.files.file_opener import FileOpener
from bulkup.pipeline.scan.filters import Filters
from bulkup.pipeline.scan.ignore_file import IGNORE_FILE, read_ignore_file

_IGNORE_FILE = os.fsencode(IGNORE_FILE)


class PathFilter:
    """Decides by names alone. `ignored` are the patterns of each source's `.bulkupignore`, by its real path.

    `own` are the real paths of folders that bulkup writes to.
    """

    def __init__(
        self, options: ScanOptions, ignored: Mapping[bytes, tuple[str, ...]], own: Iterable[bytes] = ()
    ) -> None:
        self._options = options
        self._filters = {root: Filters(options, patterns) for root, patterns in ignored.items()}
        self._own = frozenset(own)

    def takes(self, root: bytes, path: bytes, *, is_folder: bool) -> bool:
        """Return whether a path in the source `root` may be a file of a run, or lead to one."""
        if self.is_ignore_file(path):
            return True
        filters = self._filters.get(root)
        if filters is None:  # a source that was not there when the patterns were read
            return True
        names = path.split(b"/")
        if any(map(filters.hides, names)):
            return False
        above = [b"/".join(names[:count]) for count in range(1, len(names))]
        folders = [*above, path] if is_folder else above
        if any(filters.prunes(folder) for folder in folders) or (folders and filters.too_deep(folders[-1])):
            return False
        if self._own and any(os.path.join(root, one) in self._own for one in (*above, path)):
            return False
        if is_folder:
            return True
        shard = self._options.shard
        return filters.takes_name(path) and (shard is None or shard.takes(path))

    def is_ignore_file(self, path: bytes) -> bool:
        """Return whether a path is the file with the patterns of its source: then all files have to be looked at."""
        return self._options.ignore_file and path == _IGNORE_FILE


def read_path_filter(settings: Settings, environ: Mapping[str, str]) -> PathFilter:
    """Return the filter, with the patterns as they are on disk now. It blocks. Raises `UsageError`."""
    options = composition.scan_options(settings)
    ignored: dict[bytes, tuple[str, ...]] = {}
    with contextlib.closing(FileOpener(options.symlinks)) as opener:
        for source in composition.resolve_sources(settings):
            ignored[source.root] = ()
            if options.ignore_file:
                with contextlib.suppress(UsageError):  # the run reports an unreadable file
                    ignored[source.root] = read_ignore_file(opener, source)
    own = []
    with contextlib.suppress(UsageError):  # without a home directory there are no other journals
        own.append(os.path.realpath(os.fsencode(user_state_dir(environ))))
    return PathFilter(options, ignored, own)
