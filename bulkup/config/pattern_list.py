"""Lists of patterns in gitignore form: the file of `exclude_from`, and `.bulkupignore` in a source."""

from __future__ import annotations

from bulkup.config.value_text import escape_surrogates
from bulkup.errors import UsageError
from bulkup.helpers.gitignore import compile_pattern
from bulkup.helpers.input_files import read_input

_LARGEST = 1024**2  # bytes
_PIPE_TIMEOUT = 30.0  # seconds


def load_patterns(path: str) -> tuple[str, ...]:
    """Return the patterns of a file. It blocks. Raises UsageError if it cannot be read, and for a mistake in it."""
    shown = escape_surrogates(path)
    try:
        data, _ = read_input(path, _LARGEST + 1, seconds=_PIPE_TIMEOUT)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise UsageError(f"cannot read the patterns in {shown}: {why}") from error
    return patterns_of(data, shown)


def patterns_of(data: bytes, shown: str) -> tuple[str, ...]:
    """Return the patterns in the text of a file. Raises UsageError with the line of a mistake."""
    if len(data) > _LARGEST:
        raise UsageError(f"{shown} has more than {_LARGEST:,} bytes of patterns")
    patterns: list[str] = []
    # Names of files are bytes, so a pattern may hold bytes that are not UTF-8.
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").splitlines(), 1):
        try:
            pattern = compile_pattern(line)
        except ValueError as error:
            raise UsageError(f"{shown}:{number}: not a pattern in gitignore form: {error}") from error
        if pattern is not None:
            patterns.append(line)
    return tuple(patterns)
