"""Finds files that the bucket has already, by listing it. Memory holds one page, and the files that are hashed now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bulkup.model.http import ApiCall
from bulkup.model.tickets import AlreadyThere, NeedsDigest
from bulkup.providers.base import FileSpec, TicketAnswer
from bulkup.providers.s3.calls import BucketCalls, BucketEntry

_MD5 = re.compile(r"[0-9a-f]{32}")
_LAST = "\U0010ffff"  # the character that sorts last
_AFTER_SURROGATES, _BEFORE_SURROGATES = 0xE000, "\ud7ff"


class ExistingObjects:
    """Compares files with the objects of a bucket. All keys begin with `prefix`."""

    def __init__(self, calls: BucketCalls, prefix: str) -> None:
        self._calls = calls
        self._prefix = prefix
        self._hashed: dict[str, BucketEntry] = {}  # objects whose files are hashed now

    async def answers(self, specs: Mapping[str, FileSpec], call: ApiCall) -> dict[str, TicketAnswer]:
        """Return the answer for each file, by key, that the bucket has or may have. Raises `ProblemError`."""
        known = {key: entry for key in specs if (entry := self._hashed.pop(key, None)) is not None}
        found = await self._listed([key for key in specs if key not in known], call)
        answers: dict[str, TicketAnswer] = {}
        for key, entry in (known | found).items():
            spec = specs[key]
            if entry.size != spec.size or not _MD5.fullmatch(entry.etag):
                continue
            if spec.digest is None:
                self._hashed[key] = entry
                answers[key] = NeedsDigest.YES
            elif spec.digest.hex == entry.etag:
                answers[key] = AlreadyThere(key, {"key": key})
        return answers

    async def _listed(self, keys: Iterable[str], call: ApiCall) -> dict[str, BucketEntry]:
        """Return the objects with these keys. Each page begins before the first key that is left."""
        left = sorted(keys, key=str.encode, reverse=True)
        wanted, found, last = set(left), dict[str, BucketEntry](), ""
        while left:
            after = max(before(left[-1]), last, key=str.encode)
            page, more = await self._calls.objects(self._prefix, after, call)
            found |= {entry.key: entry for entry in page if entry.key in wanted}
            if not page or not more:
                break
            last = page[-1].key
            while left and left[-1].encode() <= last.encode():
                left.pop()
        return found


def before(key: str) -> str:
    """Return a text that sorts before a key, with as few keys as possible between them."""
    number = ord(key[-1])
    if number <= ord(" "):
        return key[:-1]
    lower = _BEFORE_SURROGATES if number == _AFTER_SURROGATES else chr(number - 1)
    return f"{key[:-1]}{lower}{_LAST}"
