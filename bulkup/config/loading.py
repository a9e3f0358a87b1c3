"""Combine the layers of settings: option > environment > profile > default."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bulkup.config.catalogue import CONFIG_VARIABLE, ENVIRONMENT_PREFIX, PROFILE_VARIABLE, SETTINGS
from bulkup.config.checked_model import ValidationError
from bulkup.config.complaints import SettingsError
from bulkup.config.error_messages import complaints_of
from bulkup.config.layers import GivenValue, Layer, from_environment, from_options, from_profile
from bulkup.config.requirements import given_secrets
from bulkup.config.secret_names import IDENTIFIERS
from bulkup.config.service_urls import region_variable, with_region
from bulkup.config.settings import Settings
from bulkup.config.suggestions import nearest
from bulkup.errors import UsageError
from bulkup.helpers.quick_dataclass import dataclass

if TYPE_CHECKING:
    from bulkup.config.toml_file import TomlDocument

DEFAULT = "default"

# The similarity of words that differ by one or two letters. Other variables belong to other programs.
_MISSPELT = 0.85


@dataclass(frozen=True, slots=True)
class ResolvedSettings:
    """Settings with their origins by name, and warnings for the user.

    `config_file` is the path of the file that was read, None if there was none.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    profile: str | None
    config_file: str | None


def load(
    options: Mapping[str, Any],
    *,
    profile: str | None,
    config_file: str | None,
    environ: Mapping[str, str],
    cwd: str,
) -> ResolvedSettings:
    """Return the settings of a run. `options` holds settings by name, None if an option was not given.

    A file is opened only if a profile or a file is named, here or by BULKUP_PROFILE and BULKUP_CONFIG. Raises
    UsageError with all errors.
    """
    profile = profile or environ.get(PROFILE_VARIABLE) or None
    if profile is None and config_file is None and not environ.get(CONFIG_VARIABLE):
        return resolve(options, None, profile=None, environ=environ, cwd=cwd)
    from bulkup.config import toml_file  # noqa: PLC0415  # few runs read a file

    document = toml_file.find(config_file, environ, cwd)
    if profile is not None and document is None:
        places = " or ".join(toml_file.candidates(environ, cwd))
        raise UsageError(
            f'there is no configuration file, so no profile "{profile}"',
            hint=f"name one with --config or {CONFIG_VARIABLE}, or create {places}",
        )
    return resolve(options, document, profile=profile, environ=environ, cwd=cwd)


def resolve(
    options: Mapping[str, Any],
    document: TomlDocument | None,
    *,
    profile: str | None,
    environ: Mapping[str, str],
    cwd: str,
) -> ResolvedSettings:
    """Return the settings like `load`, from a file that was read already. Raises UsageError with all errors."""
    layers: list[Layer] = [
        from_environment(environ, cwd, secrets=profile is None),
        from_options(options, cwd),
    ]
    if document is not None and profile is not None:
        layers.insert(0, from_profile(document, profile))
    given: dict[str, GivenValue] = {}
    for values, _ in layers:
        given.update(values)
    complaints = [complaint for _, found in layers for complaint in found]
    try:
        settings = Settings.model_validate({SETTINGS[name].field: one.value for name, one in given.items()})
    except ValidationError as error:
        raise SettingsError([*complaints, *complaints_of(error, given)]) from error
    if complaints:
        raise SettingsError(complaints)
    origins = {name: given[name].origin if name in given else DEFAULT for name in SETTINGS}
    if (variable := region_variable(settings, environ)) is not None:
        settings, origins["region"] = with_region(settings, environ), f"environment {variable}"
    warnings = (*_warnings(settings, given, document, profile), *_misspelt_variables(environ))
    return ResolvedSettings(settings, origins, warnings, profile, document.path if document else None)


def _warnings(
    settings: Settings, given: Mapping[str, GivenValue], document: TomlDocument | None, profile: str | None
) -> Iterator[str]:
    if document is None:
        return
    if profile is None:
        yield f"nothing in {document.shown} is used, because no profile is named"
        return
    for name, source in given_secrets(settings).items():
        setting, _, inside = name.partition(".")
        if name in IDENTIFIERS or setting not in given or not given[setting].in_file:
            continue
        if source.kind == "literal" and document.others_can_read:
            where = given[setting].where_is(*inside.split(".")) if inside else given[setting].where
            yield (
                f"{where}: {name} is written out, and other users can read the file; "
                f"chmod 600 {document.shown}, or write env:NAME"
            )


def _misspelt_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each variable that is nearly one of ours, because a misspelt one has no effect."""
    known = [PROFILE_VARIABLE, CONFIG_VARIABLE, *(setting.variable for setting in SETTINGS.values())]
    for variable in sorted(environ):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known and environ[variable]:
            near = nearest(variable, known, cutoff=_MISSPELT)
            if near:
                yield f"{variable} is not a setting and has no effect; did you mean {near}?"


class NotifySettings(NamedTuple):
    """Settings that have the notifications of a profile, and the environment without the secrets that it names."""

    resolved: ResolvedSettings
    environ: Mapping[str, str]


def load_notify(
    profile: str | None, config_file: str | None, environ: Mapping[str, str], cwd: str
) -> NotifySettings | None:
    """Return the notifications of a profile whose other settings may be wrong.

    Returns None if there are none, or if they cannot be read.
    """
    from bulkup.config import toml_file  # noqa: PLC0415  # the same

    profile = profile or environ.get(PROFILE_VARIABLE)
    if not profile:
        return None
    try:
        document = toml_file.find(config_file, environ, cwd)
        given = {} if document is None else from_profile(document, profile)[0]
    except UsageError:
        return None
    values: dict[str, Any] = {}
    for name in ("notify", "ca_file", "provider"):
        if name in given:
            with contextlib.suppress(ValidationError):  # it may be the setting that is wrong
                values[name] = getattr(Settings.model_validate({name: given[name].value}), name)
    if "notify" not in values:
        return None
    secrets = {name for key, one in given.items() if key != "notify" for name in _variables_in(one.value)}
    left = {name: value for name, value in environ.items() if name not in secrets}
    return NotifySettings(ResolvedSettings(Settings(**values), {}, (), profile, None), left)


def _variables_in(value: Any) -> Iterator[str]:
    """Yield the variables from which secrets are taken, in a value of a file that may have any form."""
    if isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:")
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        yield from _variables_in(part)
