"""What a run cannot do without, asked for where it is needed, because other commands can."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from bulkup.config.catalogue import SECRETS, SETTINGS
from bulkup.config.provider_defaults import PROVIDERS, ProviderDefaults
from bulkup.config.secret_source import SecretSource
from bulkup.config.settings import Settings
from bulkup.errors import UsageError
from bulkup.helpers.secrets import Secret


def require_provider(settings: Settings) -> str:
    """Return the provider's name. Raises UsageError where none is set."""
    if settings.provider is None:
        raise UsageError("no provider is set", hint=f"use --provider with one of {', '.join(PROVIDERS)}")
    return settings.provider


def require_settings(settings: Settings) -> None:
    """Raises UsageError with every setting that the provider cannot do without and that is not set."""
    name = require_provider(settings)
    provider = PROVIDERS[name]
    missing = [[one] for one in provider.required if not _is_set(settings, one)]
    missing += [list(ways) for ways in provider.any_of if not any(_is_set(settings, one) for one in ways)]
    if missing:
        needs = ", and ".join(_joined(ways, "or") for ways in missing)
        hint = "; ".join(_how_to_set(ways[0]) for ways in missing)
        raise UsageError(f"{name} needs {needs}", hint=hint)


def require_one_directory(settings: Settings) -> None:
    """Raises UsageError where a list of files is relative to the source, and that is not one directory.

    Looks at the sources on disk. One that is missing, or none at all, is for others to complain about.
    """
    sources = {os.path.realpath(os.fsencode(source)) for source in settings.source}
    if len(sources) <= 1 and not any(os.path.isfile(source) for source in sources):
        return
    for name in ("files_from", "asset_map"):
        if _is_set(settings, name):
            what = f"{name} needs one source, the directory that the names in it are relative to"
            raise UsageError(what, hint="name one directory, and a run of its own for each other source")


def require_one_source(settings: Settings) -> None:
    """Raises UsageError where a name is given for the source, and there are several."""
    sources = {os.path.realpath(os.fsencode(source)) for source in settings.source}
    if settings.source_id is not None and len(sources) > 1:
        what = f"source_id is the name of one source, and {len(sources)} are given"
        raise UsageError(what, hint="give each source a run of its own, and a name of its own")


def require_credentials(settings: Settings, environ: Mapping[str, str], *, profile: str | None) -> dict[str, Secret]:
    """Return the provider's credentials by setting, fetched now; blocks for up to 30 s for each that is a command.

    Raises UsageError where too few are set (see `credential_names`), or where one cannot be fetched.
    """
    names = credential_names(settings, profile=profile)
    return {name: source.resolve(environ) for name, source in given_secrets(settings).items() if name in names}


def credential_names(settings: Settings, *, profile: str | None) -> tuple[str, ...]:
    """Return which secrets a run uses: the provider's first set that is completely given, and what goes with it.

    Raises UsageError where no set is, with all the sets and what is missing. Where `profile` is named the environment
    alone does not count, so the hint offers the profile alone.
    """
    name = require_provider(settings)
    provider, given = PROVIDERS[name], given_secrets(settings)
    for ways in provider.credentials:
        if all(one in given for one in ways):
            extra = provider.optional_secrets if ways == provider.credentials[0] else ()
            return (*ways, *(one for one in extra if one in given))
    needs = ", or ".join(_joined(ways, "and") for ways in provider.credentials)
    halves = "".join(f"; {half}" for half in _halves(provider, given))
    raise UsageError(f"{name} needs {needs}{halves}", hint=_how_to_give(_most_complete(provider, given), profile))


def given_secrets(settings: Settings) -> dict[str, SecretSource]:
    """Return where each secret that is set is to be fetched, by setting, whatever the provider."""
    sources = {name: getattr(settings, SETTINGS[name].field) for name in SECRETS}
    return {name: source for name, source in sources.items() if source is not None}


def _is_set(settings: Settings, name: str) -> bool:
    return getattr(settings, SETTINGS[name].field) not in (None, ())


def _halves(provider: ProviderDefaults, given: Mapping[str, SecretSource]) -> Iterator[str]:
    for ways in provider.credentials:
        there, missing = [one for one in ways if one in given], [one for one in ways if one not in given]
        if there:
            verb = "is" if len(there) == 1 else "are"
            yield f"{_joined(there, 'and')} {verb} set without {_joined(missing, 'and')}"


def _most_complete(provider: ProviderDefaults, given: Mapping[str, SecretSource]) -> list[str]:
    """Return what is missing from the set of which most is there, from the preferred one where nothing is."""
    ways = max(provider.credentials, key=lambda ways: sum(one in given for one in ways))
    return [one for one in ways if one not in given]


def _how_to_give(secrets: Sequence[str], profile: str | None) -> str:
    in_profile = _joined([f'`{name} = "env:NAME"`' for name in secrets], "and")
    if profile is not None:
        return f"write {in_profile} in profile {profile}"
    variables = _joined([SETTINGS[name].variable for name in secrets], "and")
    return f"set {variables}, or write {in_profile} in a profile and name that"


def _how_to_set(name: str) -> str:
    setting = SETTINGS[name]
    return f'use {setting.option_name}, set {setting.variable}, or write `{name} = "..."` in a profile'


def _joined(words: Sequence[str], last: str) -> str:
    """Return words as a sentence has them: "a, b and c"."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
