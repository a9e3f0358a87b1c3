"""Add a profile to a TOML file: what the file holds already is never changed."""

from __future__ import annotations

import os
import re

from bulkup.config import toml_file
from bulkup.errors import UsageError
from bulkup.reports.safe_text import printable

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def require_profile_name(name: str) -> None:
    """Raise UsageError if a profile should not have this name: it is part of commands, units and file names."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{printable(name)} is no name for a profile", hint="use letters, digits, - and _")


def require_new_profile(path: str, shown: str, name: str) -> None:
    """Raise UsageError if the file has a profile of that name, or cannot be read. A file that is missing is fine."""
    require_profile_name(name)
    if os.path.lexists(path) and name in toml_file.read(path, shown=shown).profiles:
        raise UsageError(f'{printable(shown)} has a profile "{name}" already', hint="give the new one another name")


def add_profile(path: str, shown: str, name: str, text: str, *, make_folder: bool = False) -> None:
    """Append the text of a profile, or create the file with it. Raises UsageError as `require_new_profile` does."""
    require_new_profile(path, shown, name)
    try:
        if make_folder:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        # Only for the user: a profile may hold a secret.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"\n{text}" if os.fstat(descriptor).st_size else text)
    except OSError as error:
        raise UsageError(f"cannot write {printable(shown)}: {error.strerror}") from error
