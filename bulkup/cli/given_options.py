"""The options that a suggested command needs to find the same journal, or the same service."""

from __future__ import annotations

import shlex

from bulkup.config import ResolvedSettings
from bulkup.config.catalogue import SETTINGS, settings_in
from bulkup.config.declaration import Panel
from bulkup.reports.next_commands import JournalOptions

_BY_OPTION = "option"
_OF_THE_SERVICE = ("base_url", "store", "destination", *settings_in(Panel.SERVICES))


def given_options(resolved: ResolvedSettings) -> JournalOptions:
    """Return the options of commands after a run with these settings. Variables of the environment stay as they are."""
    settings = resolved.settings
    by_option = resolved.origins.get("journal", "").startswith((_BY_OPTION, "environment"))
    journal = ["--journal", settings.journal] if settings.journal is not None else []
    if resolved.profile is not None:
        config = ["--config", resolved.config_file] if resolved.config_file else []
        reading, sources = ["--profile", resolved.profile, *config, *(journal if by_option else [])], list[str]()
    else:
        name = ["--source-id", settings.source_id] if settings.source_id is not None else []
        reading, sources = [*journal, "--provider", settings.provider or "", *name], list(settings.source)
    # Also from a variable: a batch system sets it, and it is not in the user's shell.
    if settings.shard is not None and resolved.origins.get("shard", "").startswith((_BY_OPTION, "environment")):
        reading += ["--shard", str(settings.shard)]
    running = [*reading, *service_options(resolved)]
    return JournalOptions(shlex.join([*reading, *sources]), shlex.join([*running, *sources]))


def service_options(resolved: ResolvedSettings) -> list[str]:
    """Return the settings of the service that were given as options. Tables are left out."""
    found = list[str]()
    for name in _OF_THE_SERVICE:
        setting = SETTINGS[name]
        value = getattr(resolved.settings, setting.field)
        if not resolved.origins.get(name, "").startswith(_BY_OPTION) or not setting.option_names:
            continue
        yes, _, no = setting.option_names[0].partition("/")
        if isinstance(value, bool):
            found += [yes] if value else [no] if no else []
        elif isinstance(value, str | int | float):
            found += [yes, str(value)]
    return found
