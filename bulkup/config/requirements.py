"""What a run cannot do without, asked for where it is needed, because other commands can."""

from __future__ import annotations

from collections.abc import Mapping

from bulkup.config.names import FIELDS, variable_of
from bulkup.config.providers import PROVIDERS
from bulkup.config.secret_source import SecretSource
from bulkup.config.settings import Settings
from bulkup.errors import UsageError
from bulkup.secrets import Secret


def require_provider(settings: Settings) -> str:
    """Return the provider's name. Raises UsageError where none is set."""
    if settings.provider is None:
        raise UsageError("no provider is set", hint=f"use --provider with one of {', '.join(PROVIDERS)}")
    return settings.provider


def require_secret(
    settings: Settings, name: str, provider: str, environ: Mapping[str, str], *, profile: str | None = None
) -> Secret:
    """Return the secret of setting `name`, fetched now; blocks for up to 30 s where a command has to be run.

    Raises UsageError where it is not set, saying how `provider` gets it, or where it cannot be fetched. Where
    `profile` is named the environment alone does not count, so the hint offers the profile alone.
    """
    source: SecretSource | None = getattr(settings, FIELDS[name])
    if source is not None:
        return source.resolve(environ)
    in_profile = f'`{name} = "env:NAME"`'
    if profile is not None:
        raise UsageError(f"{provider} needs {name}", hint=f"write {in_profile} in profile {profile}")
    raise UsageError(
        f"{provider} needs {name}",
        hint=f"set {variable_of(name)}, or write {in_profile} in a profile and name that",
    )
