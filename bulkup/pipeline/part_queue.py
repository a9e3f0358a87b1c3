"""The uploads of files in parts: which part is next, how many are on their way, and when an upload ends.

The parts of the first file come first, so few uploads are unfinished at the same time. An upload that is given up, or
left to the next run, ends when none of its parts is on its way. Otherwise storage could take a part after the call
that deletes all parts.

Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from bulkup.model.items import PartUpload


class PartQueue:
    """The uploads of one run. `out` is the number of parts that are on their way."""

    def __init__(self) -> None:
        self.out = 0
        self._uploads: deque[PartUpload] = deque()  # with parts that have not left yet
        self._ends: dict[PartUpload, Callable[[], None]] = {}

    @property
    def not_begun(self) -> int:
        """The number of uploads of which no part is on its way."""
        return sum(not upload.out for upload in self._uploads)

    @property
    def unfinished(self) -> Sequence[PartUpload]:
        """The uploads with parts that have not left yet, in their order."""
        return tuple(self._uploads)

    def add(self, upload: PartUpload) -> None:
        """Take an upload behind the others."""
        if upload.left:
            self._uploads.append(upload)

    def take(self, most: int) -> list[tuple[PartUpload, list[int]]]:
        """Return the next parts, at most `most` of them, as uploads with numbers of parts. They are on their way."""
        taken = []
        while self._uploads and most > 0:
            upload = self._uploads[0]
            numbers = [upload.left.popleft() for _ in range(min(most, len(upload.left)))]
            if not upload.left:
                self._uploads.popleft()
            upload.out += len(numbers)
            self.out += len(numbers)
            most -= len(numbers)
            taken.append((upload, numbers))
        return taken

    def end(self, upload: PartUpload, how: Callable[[], None]) -> None:
        """End an upload that has no end yet: call `how` once none of its parts is on its way."""
        upload.ended = True
        if upload in self._uploads:
            self._uploads.remove(upload)
        self._ends[upload] = how
        self._finish(upload)

    def returned(self, upload: PartUpload) -> None:
        """Note that a part of an upload is no longer on its way."""
        upload.out -= 1
        self.out -= 1
        self._finish(upload)

    def _finish(self, upload: PartUpload) -> None:
        if not upload.out and (how := self._ends.pop(upload, None)) is not None:
            how()
