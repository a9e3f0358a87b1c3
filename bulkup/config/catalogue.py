"""The catalogue of settings: every setting by the name that users write, made from the fields of `Settings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bulkup.config.checked_model import CheckedModel
from bulkup.config.declaration import Declaration, Option, Panel, ValueForm, form_of
from bulkup.config.settings import Settings

ENVIRONMENT_PREFIX = "BULKUP_"
PROFILE_VARIABLE = "BULKUP_PROFILE"  # names a profile where no option does
CONFIG_VARIABLE = "BULKUP_CONFIG"  # the same for the configuration file


class Setting(NamedTuple):
    """One setting. Users write `name`; the attribute `field` of `Settings` holds the value."""

    name: str
    field: str
    default: Any
    form: ValueForm
    declaration: Declaration

    @property
    def variable(self) -> str:
        """Return the name of the environment variable."""
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def option(self) -> Option | None:
        """Return the option, None for secrets and tables."""
        return self.declaration.option

    @property
    def option_names(self) -> tuple[str, ...]:
        """Return how the option is written, the long form first; empty if there is none."""
        if self.option is None:
            return ()
        return self.option.names or ("--" + self.name.replace("_", "-"),)

    @property
    def option_name(self) -> str | None:
        """Return the long form of the option, None if there is none."""
        return self.option_names[0].partition("/")[0] if self.option_names else None

    @property
    def expects(self) -> str:
        """Return the accepted values, as the end of the sentence "expected ..."."""
        return self.declaration.expects or self.form.expects


def catalogue_of(model: type[CheckedModel]) -> Mapping[str, Setting]:
    """Return the settings that a model declares, by name, in the order of its fields."""
    settings: dict[str, Setting] = {}
    for field, info in model.model_fields.items():
        name = info.declaration.name or field
        settings[name] = Setting(name, field, info.default, form_of(info.annotation), info.declaration)
    return settings


def settings_in(*panels: Panel) -> tuple[str, ...]:
    """Return the names of the settings whose options stand under these headings of the help, in that order."""
    with_option = [(one.name, one.option) for one in SETTINGS.values() if one.option is not None]
    return tuple(name for panel in panels for name, option in with_option if option.panel is panel)


SETTINGS: Mapping[str, Setting] = catalogue_of(Settings)
NAMES_BY_FIELD: Mapping[str, str] = {one.field: one.name for one in SETTINGS.values()}
SECRETS: tuple[str, ...] = tuple(one.name for one in SETTINGS.values() if one.form.kind == "secret")
