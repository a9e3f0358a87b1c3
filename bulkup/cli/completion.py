"""Values that the shell completes: profiles, providers, and the choices of a setting."""

from __future__ import annotations

import os
from collections.abc import Callable

from bulkup.config.catalogue import Setting
from bulkup.errors import BulkupError

Complete = Callable[[str], list[str]]


def profiles(incomplete: str) -> list[str]:
    """Return the profiles of the file that commands read by themselves. A mistake in it gives none."""
    from bulkup.config import toml_file  # noqa: PLC0415  # only the shell asks

    try:
        document = toml_file.find(None, os.environ, os.getcwd())
    except (BulkupError, OSError):
        return []
    return [name for name in (document.profiles if document is not None else ()) if name.startswith(incomplete)]


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
