"""Check profiles without starting a run: settings, secrets, and the paths that they name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping

from bulkup.config import toml_file
from bulkup.config.asset_map import load_asset_map
from bulkup.config.complaints import Complaint, SettingsError
from bulkup.config.loading import ResolvedSettings, resolve
from bulkup.config.paths import journal_path, outside_sources, store_path
from bulkup.config.pattern_list import load_patterns
from bulkup.config.provider_declarations import LOCAL
from bulkup.config.provider_plugins import checked_table, declaration_of
from bulkup.config.requirements import (
    credential_names,
    credential_references,
    given_secrets,
    require_one_directory,
    require_one_source,
    require_provider,
    require_settings,
    workers_fetch_credentials,
)
from bulkup.config.secret_source import COMMAND_TIMEOUT, SecretSource
from bulkup.config.service_urls import iam_base_url
from bulkup.config.toml_file import TomlDocument
from bulkup.config.value_text import escape_surrogates
from bulkup.errors import UsageError
from bulkup.helpers.input_files import STANDARD_INPUT
from bulkup.helpers.quick_dataclass import dataclass

_NOTIFY = "notify."  # precedes the name of an address of notifications


@dataclass(frozen=True, slots=True)
class CheckedProfiles:
    """The names of profiles without errors, their file, and the warnings about them."""

    profiles: tuple[str, ...]
    config_file: str
    warnings: tuple[str, ...]


def check_profiles(
    *,
    profile: str | None,
    config_file: str | None,
    environ: Mapping[str, str],
    cwd: str,
    run_commands: bool,
) -> CheckedProfiles:
    """Check the profile named, else all profiles. Secrets are fetched; those from commands only with `run_commands`.

    Raises UsageError without a file or without such a profile, and with all errors of all profiles.
    """
    document = _document(config_file, environ, cwd)
    if profile is not None:
        document.profile(profile)  # raises if there is none of that name
    names = tuple(document.profiles) if profile is None else (profile,)
    complaints, warnings = list(document.complaints), dict[str, None]()
    for name in names:
        try:
            resolved = resolve({}, document, profile=name, environ=environ, cwd=cwd)
        except SettingsError as error:
            complaints += error.complaints
            continue
        warnings |= dict.fromkeys(resolved.warnings)
        complaints += _ProfileCheck(resolved, document, name, environ).complaints(run_commands)
    if complaints:
        raise SettingsError(complaints)
    return CheckedProfiles(names, document.path, tuple(warnings))


def _document(config_file: str | None, environ: Mapping[str, str], cwd: str) -> TomlDocument:
    document = toml_file.find(config_file, environ, cwd)
    if document is None:
        looked = " and ".join(toml_file.candidates(environ, cwd))
        hint = f"looked for {looked}; name another with --config"
        raise UsageError("there is no configuration file", hint=hint)
    return document


@dataclass(frozen=True, slots=True)
class _ProfileCheck:
    """The checks of one profile whose values are valid."""

    resolved: ResolvedSettings
    document: TomlDocument
    profile: str
    environ: Mapping[str, str]

    def complaints(self, run_commands: bool) -> Iterator[Complaint]:
        yield from self._missing_paths()
        yield from self._of("source_id", lambda: require_one_source(self.resolved.settings))
        yield from self._misplaced_paths()
        yield from self._asset_map()
        for path in self.resolved.settings.exclude_from:
            yield from self._of("exclude_from", functools.partial(load_patterns, os.fsdecode(path)))
        yield from self._secrets(run_commands)
        if self.resolved.settings.provider is not None:
            yield from self._missing_settings()
            yield from self._identity_service(self.resolved.settings.provider)

    def _missing_paths(self) -> Iterator[Complaint]:
        settings = self.resolved.settings
        given = [("source", path) for path in settings.source]
        named = {name: getattr(settings, name) for name in ("ca_file", "asset_map", "urls")}
        given += [(name, path) for name, path in named.items() if path not in (None, STANDARD_INPUT)]
        for name, path in given:
            if not os.path.exists(path):
                yield Complaint(self._where(name), f"{name}: {escape_surrogates(path)} does not exist")

    def _misplaced_paths(self) -> Iterator[Complaint]:
        settings = self.resolved.settings
        yield from self._of("journal", self._journal)
        if settings.log_file is not None:
            log_file = settings.log_file
            yield from self._of("log_file", lambda: outside_sources(log_file, settings.source, "log_file"))
        if settings.provider == LOCAL:
            yield from self._of("store", lambda: store_path(settings, settings.source, self.environ))

    def _journal(self) -> str:
        settings = self.resolved.settings
        return journal_path(settings, self.profile, settings.source, self.environ, self.document.path)

    def _asset_map(self) -> Iterator[Complaint]:
        settings = self.resolved.settings
        lists = ("files_from", "urls", "asset_map")
        name = next((name for name in lists if getattr(settings, name) is not None), lists[-1])
        wrong = list(self._of(name, lambda: require_one_directory(settings)))
        yield from wrong
        directory = next((source for source in settings.source if os.path.isdir(source)), None)
        if settings.asset_map is not None and directory is not None and not wrong:
            yield from self._in_asset_map(settings.asset_map, directory)

    def _in_asset_map(self, path: str, directory: str) -> Iterator[Complaint]:
        if not os.path.exists(path):
            return  # `_missing_paths` has a complaint about it
        try:
            load_asset_map(path, os.path.realpath(os.fsencode(directory)))
        except SettingsError as error:
            yield from error.complaints
            if error.more:
                yield Complaint(self._where("asset_map"), f"asset_map: {error.more} more problems in the file")

    def _secrets(self, run_commands: bool) -> Iterator[Complaint]:
        """Fetch the given secrets, even those that the provider does not use. Workers of a cluster have their own."""
        elsewhere = workers_fetch_credentials(self.resolved.settings)
        for name, source in given_secrets(self.resolved.settings).items():
            if elsewhere and not name.startswith(_NOTIFY):
                continue
            if run_commands or source.kind != "command":
                yield from self._of(name, self._fetched(name, source))

    def _fetched(self, name: str, source: SecretSource) -> Callable[[], object]:
        if name.startswith(_NOTIFY):
            from bulkup.config.notify_table import fetch_address  # noqa: PLC0415  # most profiles notify nobody

            return functools.partial(fetch_address, source, self.environ, COMMAND_TIMEOUT)
        return functools.partial(source.resolve, self.environ)

    def _missing_settings(self) -> Iterator[Complaint]:
        settings = self.resolved.settings
        needed = credential_references if workers_fetch_credentials(settings) else credential_names
        yield from self._of("", lambda: needed(settings, profile=self.profile))
        yield from self._of("", lambda: require_settings(settings))
        yield from self._of("plugin", lambda: checked_table(require_provider(settings), settings.plugin))

    def _identity_service(self, provider: str) -> Iterator[Complaint]:
        regions = declaration_of(provider).regions
        if regions is not None:
            yield from self._of("iam_url", lambda: iam_base_url(self.resolved.settings, regions))

    def _of(self, name: str, check: Callable[[], object]) -> Iterator[Complaint]:
        """Yield the error of a check as a complaint about a setting, or about the profile if `name` is empty."""
        try:
            check()
        except UsageError as error:
            yield Complaint(self._where(name), error.message, error.hint)

    def _where(self, name: str) -> str:
        """Return the place of a value: its environment variable, or its line in the file."""
        origin = self.resolved.origins.get(name, "")
        if origin.startswith("environment "):
            return origin.removeprefix("environment ")
        return self.document.place(self.profile, *name.split("."))
