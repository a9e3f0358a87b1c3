"""The remote ids that the service issued last, and the file of each."""

from __future__ import annotations

from collections import OrderedDict

_REMEMBERED = 10_000  # far more than are in flight; a cache that repeats an answer repeats a recent one


class IssuedIds:
    """Keeps the newest ids."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def to_another(self, remote_id: str, file: bytes) -> bool:
        """Return whether the id was issued for another file; if not, record it for this one."""
        holder = self._files.setdefault(remote_id, file)
        if len(self._files) > _REMEMBERED:
            self._files.popitem(last=False)
        return holder != file
