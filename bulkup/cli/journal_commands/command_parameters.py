"""Parameters that several commands about a journal declare, and the ages that they take."""

from __future__ import annotations

from typing import Annotated

import typer

from bulkup.cli.completion import runs
from bulkup.config.units import DURATION, parse_duration
from bulkup.errors import UsageError

Sources = Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="The sources of the runs.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="RUN",
        help="Only files that this run or a later one has met: an id of `bulkup runs` or its beginning, or last.",
        autocompletion=runs,
    ),
]


def age(text: str) -> float:
    """Return the seconds of an age. Raises `UsageError`."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--older-than: expected {DURATION}, not {text}") from error
