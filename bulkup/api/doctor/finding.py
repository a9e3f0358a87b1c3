"""A finding of `bulkup doctor`."""

from __future__ import annotations

import enum
from typing import NamedTuple


class Severity(enum.StrEnum):
    """How a finding affects uploads."""

    OK = "ok"
    WARNING = "warning"  # uploads work, or may fail later
    ERROR = "error"  # uploads fail


class Finding(NamedTuple):
    """The result of one check: its subject, the state, and what to do, empty if nothing is to be done."""

    subject: str
    severity: Severity
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    """Return a finding of something that is in order."""
    return Finding(subject, Severity.OK, text)


def warning(subject: str, text: str, advice: str) -> Finding:
    """Return a finding that does not stop uploads."""
    return Finding(subject, Severity.WARNING, text, advice)


def error(subject: str, text: str, advice: str) -> Finding:
    """Return a finding that makes uploads fail."""
    return Finding(subject, Severity.ERROR, text, advice)
