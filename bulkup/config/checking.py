"""Looks at profiles as a run would, without starting one: settings, secrets, and the paths they name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bulkup.config import toml_file
from bulkup.config.complaints import Complaint, SettingsError
from bulkup.config.kinds import printable
from bulkup.config.loading import Resolved, resolve
from bulkup.config.names import FIELDS, SECRETS
from bulkup.config.paths import journal_path, store_path
from bulkup.config.providers import LOCAL, PROVIDERS
from bulkup.config.requirements import require_secret
from bulkup.config.secret_source import SecretSource
from bulkup.config.toml_file import Document
from bulkup.errors import UsageError


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found to be fine: the profiles by name, the file, and the warnings about them."""

    profiles: tuple[str, ...]
    config_file: str
    warnings: tuple[str, ...]


def check(
    *,
    profile: str | None,
    config_file: str | None,
    environ: Mapping[str, str],
    cwd: str,
    run_commands: bool,
) -> Checked:
    """Check one profile, or all where none is named. Secrets are fetched, by command if `run_commands`.

    Raises UsageError where there is no file or no such profile, and with everything that is wrong in any.
    """
    document = _document(config_file, environ, cwd)
    if profile is not None:
        document.profile(profile)  # raises where there is none of that name
    names = tuple(document.profiles) if profile is None else (profile,)
    complaints, warnings = list(document.complaints), dict[str, None]()
    for name in names:
        try:
            resolved = resolve({}, document, profile=name, environ=environ, cwd=cwd)
        except SettingsError as error:
            complaints += error.complaints
            continue
        warnings |= dict.fromkeys(resolved.warnings)
        complaints += _Look(resolved, document, name, environ).complaints(run_commands)
    if complaints:
        raise SettingsError(complaints)
    return Checked(names, document.path, tuple(warnings))


def _document(config_file: str | None, environ: Mapping[str, str], cwd: str) -> Document:
    document = toml_file.find(config_file, environ, cwd)
    if document is None:
        looked = " and ".join(toml_file.candidates(environ, cwd))
        hint = f"looked for {looked}; name another with --config"
        raise UsageError("there is no configuration file", hint=hint)
    return document


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at one profile whose settings are sound by themselves."""

    resolved: Resolved
    document: Document
    profile: str
    environ: Mapping[str, str]

    def complaints(self, run_commands: bool) -> Iterator[Complaint]:
        yield from self._missing_paths()
        yield from self._misplaced_paths()
        for name in self._secrets(run_commands):
            yield from self._secret(name)

    def _missing_paths(self) -> Iterator[Complaint]:
        settings = self.resolved.settings
        for name, paths in (("source", settings.source), ("ca_file", (settings.ca_file,))):
            for path in paths:
                if path is not None and not os.path.exists(path):
                    yield Complaint(self._where(name), f"{name}: {printable(path)} does not exist")

    def _misplaced_paths(self) -> Iterator[Complaint]:
        settings = self.resolved.settings
        try:
            journal_path(settings, self.profile, settings.source, self.environ)
        except UsageError as error:
            yield Complaint(self._where("journal"), error.message, error.hint)
        try:
            if settings.provider == LOCAL:
                store_path(settings, settings.source, self.environ)
        except UsageError as error:
            yield Complaint(self._where("store"), error.message, error.hint)

    def _secrets(self, run_commands: bool) -> Iterator[str]:
        """Yield the secrets to fetch: those given, and those the provider cannot do without."""
        provider = self.resolved.settings.provider
        needed = PROVIDERS[provider].secrets if provider else ()
        for name in SECRETS:
            source: SecretSource | None = getattr(self.resolved.settings, FIELDS[name])
            if source is None and name in needed:
                yield name
            if source is not None and (run_commands or source.kind != "command"):
                yield name

    def _secret(self, name: str) -> Iterator[Complaint]:
        settings = self.resolved.settings
        try:
            require_secret(settings, name, str(settings.provider), self.environ, profile=self.profile)
        except UsageError as error:
            yield Complaint(self._where(name), error.message, error.hint)

    def _where(self, name: str) -> str:
        """Name the layer a value came from, so that nobody looks for it in the wrong place."""
        origin = self.resolved.origins[name]
        if origin.startswith("environment "):
            return origin.removeprefix("environment ")
        return self.document.where("profiles", self.profile, name)
