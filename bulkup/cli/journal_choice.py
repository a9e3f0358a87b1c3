"""Choose the journal for a command: the one named, that of a profile or of sources, or the only one there is."""

from __future__ import annotations

import os
import shlex

from bulkup.cli.run_settings import load_settings
from bulkup.config import Settings, journal_path
from bulkup.config.provider_plugins import provider_names
from bulkup.config.user_dirs import user_state_dir
from bulkup.errors import BulkupError, MachineError, UsageError
from bulkup.journal import Reader
from bulkup.reports.safe_text import printable_path


def chosen_journal(
    source: list[str] | None,
    profile: str | None,
    config: str | None,
    provider: str | None,
    source_id: str | None,
    journal: str | None,
) -> str:
    """Return the journal that these options name. Raises UsageError if there is none, or more than one."""
    given = {"source": source or None, "provider": provider, "source_id": source_id, "journal": journal}
    found = load_settings(given, profile, config)
    settings = found.settings
    if settings.journal is not None:
        return settings.journal
    named = settings.source or settings.source_id is not None
    if found.profile is not None or (settings.provider is not None and named):
        return journal_path(settings, found.profile, settings.source, os.environ, found.config_file)
    return _only_journal(settings)


def _only_journal(settings: Settings) -> str:
    """Return the only journal of the given sources and provider.

    Raises UsageError if there is none, or more than one.
    """
    folder = user_state_dir(os.environ)
    if settings.source or settings.source_id is not None:
        every = (settings.model_copy(update={"provider": name}) for name in provider_names())
        paths = [journal_path(one, None, one.source, os.environ) for one in every]
        paths = list(dict.fromkeys(path for path in paths if os.path.exists(path)))
    else:
        start = f"{settings.provider}-" if settings.provider is not None else ""
        paths = [os.path.join(folder, name) for name in _names(folder) if name.startswith(start)]
    if len(paths) == 1:
        return paths[0]
    if not paths:
        which = " for these options" if settings.source or settings.provider or settings.source_id else ""
        raise UsageError(
            f"there is no journal{which} in {folder} yet", hint="run `bulkup upload` first, or give --journal FILE"
        )
    shown = "\n".join(f"  --journal {shlex.quote(path)}{_description(path)}" for path in paths)
    raise UsageError(
        f"there are several journals; name one:\n{shown}", hint="or give --profile, or --provider and the sources"
    )


def _description(path: str) -> str:
    """Return the provider and the sources of the last run, to tell journals apart."""
    try:
        with Reader(path) as reader:
            run = next(reader.runs(), None)
    except BulkupError:
        return "  (cannot be read)"
    return "" if run is None else f"  ({run.provider}: {', '.join(map(printable_path, run.sources))})"


def _names(folder: str) -> list[str]:
    """Return the names of the journals in a folder. A link is only another name for one of them."""
    try:
        with os.scandir(folder) as entries:
            return sorted(one.name for one in entries if one.name.endswith(".sqlite3") and not one.is_symlink())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MachineError(f"cannot read the folder of the journals {folder}: {error.strerror or error}") from error
