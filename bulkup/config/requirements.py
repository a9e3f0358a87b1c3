"""The settings that a run needs. Other commands work without them, so they are checked where they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bulkup.config.catalogue import SECRETS, SETTINGS
from bulkup.config.provider_declarations import ProviderDeclaration
from bulkup.config.provider_plugins import declaration_of, provider_names
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.config.secret_source import SecretSource
from bulkup.config.settings import Settings
from bulkup.errors import UsageError
from bulkup.helpers.input_files import STANDARD_INPUT
from bulkup.helpers.secrets import Secret

if TYPE_CHECKING:
    from bulkup.config.described_service import HttpDescription

OWN_SECRETS = "http.secrets."  # precedes the name of a secret that a description adds


def require_provider(settings: Settings) -> str:
    """Return the provider's name. Raises UsageError if none is set."""
    if settings.provider is None:
        raise UsageError("no provider is set", hint=f"use --provider with one of {', '.join(provider_names())}")
    return settings.provider


def require_settings(settings: Settings) -> None:
    """Raise UsageError with every setting that the provider needs and that is not set."""
    name = require_provider(settings)
    provider = declaration_of(name)
    missing = [[one] for one in provider.required if not _is_set(settings, one)]
    missing += [list(ways) for ways in provider.any_of if not any(_is_set(settings, one) for one in ways)]
    if provider.described and settings.http is not None:
        needed = (*(("base_url",) if settings.http.url is None else ()), *described_settings(settings))
        missing += [[one] for one in needed if not _is_set(settings, one)]
    if missing:
        needs = ", and ".join(_joined(ways, "or") for ways in missing)
        hint = "; ".join(_how_to_set(ways[0]) for ways in missing)
        raise UsageError(f"{name} needs {needs}", hint=hint)


def require_one_directory(settings: Settings) -> None:
    """Raise UsageError if a list of files is relative to the source, and the source is not one directory.

    Checks the sources on disk. Other functions report missing sources.
    """
    sources = {os.path.realpath(os.fsencode(source)) for source in settings.source}
    if len(sources) <= 1 and not any(os.path.isfile(source) for source in sources):
        return
    for name in ("files_from", "asset_map", "urls"):
        if _is_set(settings, name):
            what = f"{name} needs exactly one source, the directory that its paths are relative to"
            raise UsageError(what, hint="name one directory, and start a separate run for each other source")


def require_one_reader(settings: Settings) -> None:
    """Raise UsageError if two lists are to be read from standard input: the second one would be empty."""
    if settings.files_from == settings.urls == STANDARD_INPUT:
        raise UsageError("files_from and urls cannot both be standard input", hint="write one of the lists into a file")


def require_one_source(settings: Settings) -> None:
    """Raise UsageError if the source has a name and there are several sources."""
    sources = {os.path.realpath(os.fsencode(source)) for source in settings.source}
    if settings.source_id is not None and len(sources) > 1:
        what = f"source_id is the name of one source, and {len(sources)} are given"
        raise UsageError(what, hint="start a separate run with its own name for each source")


def require_credentials(settings: Settings, environ: Mapping[str, str], *, profile: str | None) -> dict[str, Secret]:
    """Fetch the provider's credentials and return them by setting. Each command blocks for up to 30 s.

    Raises UsageError if too few are set (see `credential_names`), or if one cannot be fetched.
    """
    return {name: source.resolve(environ) for name, source in _chosen_credentials(settings, profile).items()}


def workers_fetch_credentials(settings: Settings) -> bool:
    """Return whether the workers of a cluster fetch the provider's credentials, so that this machine needs none."""
    return settings.cluster is not None and settings.cluster_credentials == "workers"


def credential_references(settings: Settings, *, profile: str | None) -> dict[str, SecretSource]:
    """Return where workers of a cluster find the provider's credentials, by setting.

    Raises UsageError as `credential_names`, and for a secret that is written in the settings themselves.
    """
    references = _chosen_credentials(settings, profile)
    written = [name for name, source in references.items() if source.kind == "literal" and name not in IDENTIFIERS]
    if written:
        verb = "is" if len(written) == 1 else "are"
        in_profile = _joined([f'`{name} = "env:NAME"`' for name in written], "and")
        where = "a profile" if profile is None else f"profile {profile}"
        raise UsageError(
            f'{_joined(written, "and")} {verb} given as such, and cluster_credentials = "workers" has the workers '
            "fetch credentials",
            hint=f"write {in_profile} in {where}, or leave out cluster_credentials",
        )
    return references


def _chosen_credentials(settings: Settings, profile: str | None) -> dict[str, SecretSource]:
    names, given = credential_names(settings, profile=profile), given_secrets(settings)
    return {name.removeprefix(OWN_SECRETS): source for name, source in given.items() if name in names}


def credential_names(settings: Settings, *, profile: str | None) -> tuple[str, ...]:
    """Return the secrets that a run uses: the provider's first complete set, and its optional secrets.

    Raises UsageError if no set is complete, with all the sets and the missing secrets. If `profile` is named, variables
    of secrets do not count, so the hint names only the profile.
    """
    name = require_provider(settings)
    provider, given = declaration_of(name), given_secrets(settings)
    if provider.described:
        return _described_secrets(settings, given, profile)
    halves = list(_halves(provider, given))
    for ways in provider.credentials:
        # A set that is given in part is a mistake, even where the provider could look for credentials itself.
        if all(one in given for one in ways) and (ways or not halves):
            extra = provider.optional_secrets if ways == provider.credentials[0] else ()
            return (*ways, *(one for one in extra if one in given))
    needs = ", or ".join(_joined(ways, "and") if ways else "none of them" for ways in provider.credentials)
    what = "; ".join([f"{name} needs {needs}", *halves])
    raise UsageError(what, hint=_how_to_give(_most_complete(provider, given), profile))


def given_secrets(settings: Settings) -> dict[str, SecretSource]:
    """Return the sources of all secrets that are set, by setting, even those that the provider does not use.

    Those of a described service have the names that it gives them, after `OWN_SECRETS`. Addresses of notifications have
    that of their key in the table.
    """
    sources = {name: getattr(settings, SETTINGS[name].field) for name in SECRETS}
    given = {name: source for name, source in sources.items() if source is not None}
    if settings.http is not None:
        given |= _own_secrets(settings.http)
    if settings.notify is not None:
        given |= {f"notify.{name}": source for name, source in settings.notify.addresses().items()}
    return given


def _described_secrets(settings: Settings, given: Mapping[str, SecretSource], profile: str | None) -> tuple[str, ...]:
    """Return the secrets that the description of a service names. Raises UsageError if one is not set."""
    from bulkup.config.description_names import secrets_used  # noqa: PLC0415  # the same

    if settings.http is None:
        return ()
    names = secrets_used(settings.http)
    missing = [name for name in names if name not in given]
    if missing:
        what = f"the description in http names {_joined(missing, 'and')}, which {'is' if len(missing) == 1 else 'are'}"
        raise UsageError(f"{what} not set", hint=_how_to_give(missing, profile))
    return (*names, *_own_secrets(settings.http))


def _own_secrets(description: HttpDescription) -> dict[str, SecretSource]:
    return {OWN_SECRETS + name: source for name, source in description.secrets.items()}


def described_settings(settings: Settings) -> tuple[str, ...]:
    """Return the settings that the description of a service names, apart from secrets and `base_url`."""
    from bulkup.config.description_names import settings_used  # noqa: PLC0415  # only a description needs it

    return () if settings.http is None else settings_used(settings.http)


def _is_set(settings: Settings, name: str) -> bool:
    return getattr(settings, SETTINGS[name].field) not in (None, ())


def _halves(provider: ProviderDeclaration, given: Mapping[str, SecretSource]) -> Iterator[str]:
    searches = () in provider.credentials  # without credentials it looks for some itself
    for ways in provider.credentials:
        extra = provider.optional_secrets if searches and ways == provider.credentials[0] else ()
        there = [one for one in (*ways, *extra) if one in given]
        missing = [one for one in ways if one not in given]
        if there and missing:
            verb = "is" if len(there) == 1 else "are"
            yield f"{_joined(there, 'and')} {verb} set without {_joined(missing, 'and')}"


def _most_complete(provider: ProviderDeclaration, given: Mapping[str, SecretSource]) -> list[str]:
    """Return the missing secrets of the most complete set; the preferred set counts first."""
    ways = max(provider.credentials, key=lambda ways: sum(one in given for one in ways))
    return [one for one in ways if one not in given]


def _how_to_give(secrets: Sequence[str], profile: str | None) -> str:
    in_profile = _joined([f'`{name} = "env:NAME"`' for name in secrets], "and")
    if profile is not None:
        return f"write {in_profile} in profile {profile}"
    variables = _joined([SETTINGS[name].variable for name in secrets], "and")
    return f"set {variables}, or write {in_profile} in a profile and name the profile"


def _how_to_set(name: str) -> str:
    setting = SETTINGS[name]
    if setting.form.kind == "tables":
        return f"describe the service in a table [profiles.NAME.{name}]; docs/providers/http.md explains it"
    return f'use {setting.option_name}, set {setting.variable}, or write `{name} = "..."` in a profile'


def _joined(words: Sequence[str], last: str) -> str:
    """Return words joined as in a sentence: "a, b and c"."""
    return f" {last} ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
