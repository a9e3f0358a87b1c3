"""Values that the shell completes: profiles, providers, and the choices of a setting."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import typer

from bulkup.config.catalogue import Setting
from bulkup.errors import BulkupError

_SHOWN_ID = 8  # characters of an id, as in `bulkup runs`
_RUNS = 20

Complete = Callable[[str], list[str]]


def profiles(incomplete: str) -> list[str]:
    """Return the profiles of the file that commands read by themselves. A mistake in it gives none."""
    from bulkup.config import toml_file  # noqa: PLC0415  # only the shell asks

    try:
        document = toml_file.find(None, os.environ, os.getcwd())
    except (BulkupError, OSError):
        return []
    return [name for name in (document.profiles if document is not None else ()) if name.startswith(incomplete)]


def runs(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the ids of the last runs of the journal that the other options name, and when each began."""
    from bulkup.cli.journal_choice import chosen_journal  # noqa: PLC0415  # only the shell asks
    from bulkup.journal import Reader  # noqa: PLC0415  # the same
    from bulkup.reports.json_text import time_text  # noqa: PLC0415  # the same

    given = context.params
    try:
        options = [given.get(name) for name in ("profile", "config", "provider", "source_id", "journal", "shard")]
        paths = given["journal"] if isinstance(given.get("journal"), list) else []  # of a merge
        with Reader(paths[0] if paths else chosen_journal(given.get("source"), *options)) as reader:
            found = [
                (run.run[:_SHOWN_ID], time_text(run.started_at) or "") for run in itertools.islice(reader.runs(), _RUNS)
            ]
    except (BulkupError, OSError):
        return []
    return [one for one in (("last", "the newest run"), *found) if one[0].startswith(incomplete)]


def values_of(setting: Setting) -> Complete | None:
    """Return the completion of a setting with a few values, None for another one."""
    if setting.name == "provider":
        return _providers
    choices = (setting.form.metavar or "").split("|")
    if len(choices) == 1 or not all(choice.replace("-", "").isalnum() and choice.islower() for choice in choices):
        return None
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _providers(incomplete: str) -> list[str]:
    from bulkup.config.provider_plugins import provider_names  # noqa: PLC0415  # the same

    return [name for name in provider_names() if name.startswith(incomplete)]
