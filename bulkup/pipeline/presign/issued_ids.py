"""The remote ids that were handed out last, and for which file."""

from __future__ import annotations

from collections import OrderedDict

_REMEMBERED = 10_000  # far more than are under way at once; whatever repeats an answer repeats a fresh one


class IssuedIds:
    """Remembers the newest ids."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def to_another(self, remote_id: str, file: bytes) -> bool:
        """Say whether the id was handed out for another file; if not, it now is this one's."""
        holder = self._files.setdefault(remote_id, file)
        if len(self._files) > _REMEMBERED:
            self._files.popitem(last=False)
        return holder != file
