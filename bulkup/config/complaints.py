"""Errors in the settings, collected so that a user sees all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass
from bulkup.helpers.short_text import shortened

_LONGEST = 2000  # characters


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error: `where` names its place (`bulkup.toml:12`, a variable, an option), `hint` the remedy.

    A longer text than a path and a sentence is cut.
    """

    where: str
    what: str
    hint: str = ""

    def __post_init__(self) -> None:
        if len(self.what) > _LONGEST:
            object.__setattr__(self, "what", shortened(self.what, _LONGEST))

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def line(self) -> str:
        """Return place, error and remedy on one line."""
        return f"{self} ({self.hint})" if self.hint else str(self)


class SettingsError(UsageError):
    """One or more complaints. `more` is the number of further complaints that are not spelt out."""

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
