"""Search for secrets in the output of commands, in logs, and in the journal of a finished run.

The credentials of the account and the keys of the server are known from the start. The signatures of URLs are read
during the run from the two places that may hold them: the tables of live tickets and of groups in the journal.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import orjson

_SHORTEST = 12  # characters that cannot match by chance
_AT_ONCE = 4 << 20
_OVERLAP = 4 << 10  # longer than any token
_MOST_READ = 512 * 1024  # bytes of live tickets, at each look
# A file's ticket has a row of its own, or is in the row of its group.
_LIVE = (
    "SELECT CAST(ticket AS BLOB) FROM tickets ORDER BY random() LIMIT 500",
    "SELECT CAST(tickets AS BLOB) FROM presign_groups WHERE tickets IS NOT NULL ORDER BY random() LIMIT 500",
)
_PLAIN = re.compile(rb"[A-Za-z0-9]{%d,}" % _SHORTEST)
_IN_URL = re.compile(r"(?:signature|security-token|securitytoken)=([^&\"\s]+)", re.IGNORECASE)
_IN_FORM = re.compile(r'"(?:x-amz-)?(?:signature|policy|security-token)","([^"]+)"', re.IGNORECASE)
# A signature that was never in the journal is recognised by its form.
_SHAPE = re.compile(rb"signature(?:=|%3d|\\u003d)[0-9a-z+/%]{8,}", re.IGNORECASE)


class Secrecy:
    """The known secrets, and where they were found. `found` has a line for each find, without the secret."""

    def __init__(self, journal: str, secrets: Iterable[str]) -> None:
        self._journal = journal
        self._starts: dict[bytes, str] = {}
        self._ends: dict[bytes, str] = {}
        self.signatures = 0
        self.found: list[str] = []
        for secret in secrets:
            self._learn(secret, "a credential")

    def learn_keys(self, store: str) -> None:
        """Add the keys with which the server signs."""
        keys = orjson.loads(Path(store, "state", "keys.json").read_bytes())
        for name in ("secret", "session_token"):
            self._learn(keys[name], "a key of the server")

    def look(self) -> None:
        """Add the signatures of the live tickets."""
        for query in _LIVE:
            # No run has started yet, or the journal is just being created.
            with contextlib.suppress(sqlite3.OperationalError), _opened(self._journal) as connection:
                read = 0
                for (text,) in connection.execute(query):
                    for value in signatures_in(text.decode(errors="replace")):
                        self.signatures += self._learn(value, "a signature")
                    read += len(text)  # a group may have one file, or a thousand
                    if read > _MOST_READ:
                        break

    def search(self, *paths: str) -> None:
        """Search files for all known secrets."""
        for path in paths:
            if os.path.exists(path):
                for what in sorted({what for block in _blocks(path) for what in self._in(block)}):
                    self.found.append(f"{os.path.basename(path)}: {what}")

    def _learn(self, secret: str, what: str) -> bool:
        """Add the start and the end of the parts that no quoting changes. Return whether one of them is new."""
        parts = [part for part in _PLAIN.findall(unquote(secret).encode()) if part[:_SHORTEST] not in self._starts]
        self._starts |= {part[:_SHORTEST]: what for part in parts}
        self._ends |= {part[-_SHORTEST:]: what for part in parts}
        return bool(parts)

    def _in(self, block: bytes) -> Iterator[str]:
        for text in (block, unquote_to_bytes(block)):
            for token in _PLAIN.findall(text):
                # A secret may be truncated, or follow the letters of an escape.
                if what := self._starts.get(token[:_SHORTEST]) or self._ends.get(token[-_SHORTEST:]):
                    yield what
        if _SHAPE.search(block):
            yield "what looks like a signature"


def signatures_in(ticket: str) -> list[str]:
    """Return the signatures, policies and session tokens in a live ticket of the journal."""
    return [*_IN_URL.findall(ticket), *_IN_FORM.findall(ticket)]


@contextlib.contextmanager
def _opened(journal: str) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10)) as connection:
        yield connection


def _blocks(path: str) -> Iterator[bytes]:
    """Yield the contents in overlapping blocks, so that no secret is split between two."""
    with open(path, "rb") as file:
        end = b""
        while block := file.read(_AT_ONCE):
            yield end + block
            end = block[-_OVERLAP:]
