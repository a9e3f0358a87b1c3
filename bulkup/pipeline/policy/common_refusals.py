"""Refusals that concern every file: a mistyped pipeline, an ended plan, a missing bucket, a wrong key.

Such a refusal comes as the answer to one file, or to a group, like the refusal of a bad file. The difference shows in
the others: if a number of files were refused alike and none was ever accepted, the cause is not in the files. Then the
run ends, and the files stay for the next run.

The refused files may also have a fault of their own in common. So the run does not end while a file of another kind
waits: that one is tried first. `kinds` describes a file, such as its extension.

Pure.
"""

from __future__ import annotations

import re

from bulkup.helpers.lazy_pattern import lazy_pattern
from bulkup.helpers.short_text import shortened
from bulkup.pipeline.policy.kind_refusal import refers_to_kind

# Storage's code says the reason, and its text may name the file.
_CODE = lazy_pattern(r"storage answered [0-9]{3} \w+(?=:)")
# The parts in which two answers with one meaning differ: ids, times, names and paths, and numbers. A status is kept,
# and so are short words with a digit, such as mp4: they are kinds of files. A path does not begin behind a letter, so
# that a long word is read once.
_DETAILS = lazy_pattern(
    r"(?P<kept>\banswered [0-9]{3}\b|\b[a-z]{1,3}[0-9][a-z]{0,2}\b(?![./]))|"
    r"\"[^\"]*\"|'[^']*'|(?<![a-z])\S*(?:[0-9]{4,}|/|\w\.\w)\S*|\b[0-9a-f]{8,}\b|[0-9]+",
    re.IGNORECASE,
)
_LONGEST = 160
_READ = 1000  # characters of a reason; what follows is left out
_SEVERAL = 3  # kinds that are named


def alike(reason: str) -> str:
    """Return a reason without the details that differ between files."""
    if code := _CODE.match(reason):
        return code[0]
    return shortened(_DETAILS.sub(lambda found: found["kept"] or "…", reason[:_READ]), _LONGEST)


def too_large(reason: str) -> bool:
    """Return whether a reason is about the size of the file."""
    return "413" in reason or "EntityTooLarge" in reason


class CommonRefusals:
    """Counts the files that one side, the service or storage, refused. `enough` of them end the run."""

    def __init__(self, enough: int) -> None:
        self.accepted = False
        self.group_refused = False
        self.files = 0
        self.kinds: set[str] = set()
        self._enough = enough
        self._open = 0  # of `files`, those that a new URL may help
        self._reasons: set[str] = set()
        self._unsupported: set[str] = set()  # kinds that were refused as such

    @property
    def in_doubt(self) -> bool:
        """Whether all files so far were refused alike: then a single file is tried at a time."""
        return self.undecided and (self.files > 0 or self.group_refused)

    @property
    def undecided(self) -> bool:
        """Whether refused files may have their cause in common: none was accepted, and all were refused alike.

        Kinds that are refused as such are left out, unless the other refusals concern the same kinds.
        """
        return not (self.accepted or len(self._reasons) > 1 or self._unsupported & self.kinds)

    def refused(self, reason: str, kind: str, *, final: bool = True) -> None:
        """Count a file that was refused alone; not `final` if a new URL may help it.

        A refusal that refers to the kind of the file is not counted: others may follow.
        """
        if not self.undecided:
            return
        if refers_to_kind(reason, kind):
            self._unsupported.add(kind)
            self.group_refused = False
            return
        self.files += 1
        self._open += not final
        self.kinds.add(kind)
        self._reasons.add(alike(reason))

    def concern_every_file(self, *, other_kinds_wait: bool = False) -> bool:
        """Return whether the run must end."""
        return self.undecided and self.files >= self._enough and not other_kinds_wait

    @property
    def new_urls_do_not_help(self) -> bool:
        """Whether enough new URLs were refused alike to expect the same of others."""
        return self._open >= 2 * self._enough

    def in_common(self) -> str:
        """Return the number of refused files and their common reason."""
        kinds = sorted(self.kinds)
        named = ", ".join(f".{kind}" if kind else "without an extension" for kind in kinds[:_SEVERAL])
        return f"{self.files:,} files ({named}{', ...' if len(kinds) > _SEVERAL else ''}) were refused alike"
