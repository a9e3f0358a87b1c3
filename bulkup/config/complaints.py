"""What is wrong with the settings, collected so that a user sees all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bulkup.errors import UsageError


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong: `where` it stands (`bulkup.toml:12`, a variable, an option), what, and what to
    do."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def line(self) -> str:
        """All of it on one line."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class SettingsError(UsageError):
    """One or more complaints; `complaints` has each by itself, `more` says how many there are beside them."""

    def __init__(self, complaints: Sequence[Complaint], *, more: int = 0) -> None:
        self.complaints = tuple(dict.fromkeys(complaints))
        self.more = more
        count = len(self.complaints) + more
        if count == 1:
            super().__init__(str(self.complaints[0]), hint=self.complaints[0].hint)
        else:
            lines = [complaint.line for complaint in self.complaints]
            lines += [f"... and {more} more"] if more else []
            super().__init__("\n  ".join([f"{count} problems in the settings:", *lines]))
