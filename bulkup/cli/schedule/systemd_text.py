"""Values in systemd's unit files, quoted by its rules (systemd.syntax, systemd.service). Pure."""

from __future__ import annotations

from bulkup.errors import UsageError
from bulkup.reports.safe_text import printable


def quoted(value: str) -> str:
    """Return a value in double quotes, for lists of words such as those of Environment= and ReadWritePaths=."""
    return '"' + _specifiers(value.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def command_line(program: str, *arguments: str) -> str:
    """Return the value of ExecStart=. systemd replaces variables in arguments, but not in the path of the program."""
    return " ".join([quoted(program), *(quoted(one.replace("$", "$$")) for one in arguments)])


def plain(value: str) -> str:
    """Return a value that systemd reads up to the end of its line, without quotes."""
    if value != value.strip() or value.endswith("\\"):
        raise UsageError(
            f"{printable(value)} cannot be written into a unit of systemd: it begins or ends with a space, or ends "
            "with a backslash",
            hint="give the file another name",
        )
    return _specifiers(value)


def _specifiers(value: str) -> str:
    """Return a value whose percent signs stand for themselves. Raises UsageError if a unit cannot contain it."""
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in value):
        what = f"{printable(value)} cannot be written into a unit of systemd"
        raise UsageError(
            f"{what}: it has a control character, or bytes that are not UTF-8", hint="give it another name"
        )
    return value.replace("%", "%%")
