"""config.example.toml names every setting, with its true default, and its profiles load."""

import os
import re
import tomllib
from typing import Any

import pytest

from bulkup.config import PROVIDER_DECLARATIONS, Settings, load, require_settings
from bulkup.config.catalogue import SETTINGS
from bulkup.config.requirements import credential_names

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


PATH = os.path.join(ROOT, "config.example.toml")
with open(PATH, encoding="utf-8") as example_file:
    EXAMPLE = example_file.read()
IN_FILE = [name for name, setting in SETTINGS.items() if not setting.declaration.not_in_profile]
TABLES = [name for name, setting in SETTINGS.items() if setting.form.kind == "table"]


def reference(name: Any) -> tuple[str, Any]:
    """Return the only commented line of a setting, and the comment above it."""
    section = EXAMPLE.partition("# [profiles.reference]")[2]
    found = re.findall(rf"((?:^# .*\n)*)^# ({name} = .*)$", section, re.MULTILINE)
    assert len(found) == 1, f"{name} stands there {len(found)} times"
    comment, line = found[0]
    return comment, tomllib.loads(line)[name]


@pytest.mark.parametrize("name", IN_FILE)
def test_the_example_names_every_setting_with_its_true_default(name: Any) -> None:
    comment, value = reference(name)
    setting = SETTINGS[name]
    held = getattr(Settings.model_validate({setting.field: value}), setting.field)
    if setting.default is None:
        assert "Default: not set" in comment
        assert held is not None
    else:
        assert held == setting.default


@pytest.mark.parametrize("name", IN_FILE)
def test_the_example_names_the_unit_where_there_is_one(name: Any) -> None:
    assert SETTINGS[name].form.unit in reference(name)[0]


def test_the_example_leaves_out_settings_that_no_profile_may_hold() -> None:
    for name in SETTINGS.keys() - set(IN_FILE):
        assert not re.search(rf"^# {name} = ", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("profile", tomllib.loads(EXAMPLE)["profiles"])
def test_the_profiles_of_the_example_load_without_a_warning(profile: Any) -> None:
    resolved = load({}, profile=profile, config_file=PATH, environ={}, cwd=ROOT)
    assert resolved.warnings == ()
    assert resolved.settings.source
    require_settings(resolved.settings)
    credential_names(resolved.settings, profile=profile)  # raises where they are too few


def test_the_example_has_a_profile_for_every_provider() -> None:
    profiles = tomllib.loads(EXAMPLE)["profiles"].values()
    assert {profile["provider"] for profile in profiles} == set(PROVIDER_DECLARATIONS)


@pytest.mark.parametrize("name", TABLES)
def test_the_example_shows_a_setting_that_is_a_table(name: Any) -> None:
    shown = [profile[name] for profile in tomllib.loads(EXAMPLE)["profiles"].values() if name in profile]
    assert len(shown[0]) > 1
    assert f"\n[[profiles.avatars.{name}]]\n" in EXAMPLE
